"""Sweeps (train -m): folders by overrides, finished jobs kept, launchers, one summary."""

import csv
import json
import os
import subprocess
import sys
import unicodedata
from itertools import combinations
from pathlib import Path

import pytest

from kdistill.cli import main
from kdistill.cli._hydra import hydra_command, output_folder
from kdistill.cli._sweep import LONGEST, OneFolder, slug
from kdistill.errors import UserError

SMALL = [
    "device=cpu",
    "dataset=digits",
    "student.widths=[8]",
    "teacher.model.widths=[8]",
    "fit.epochs=1",
    "teacher.fit.epochs=1",
    "baseline=false",
]
TINY = """
seed: 0
name: default
hydra:
  run: {dir: 'out/run'}
  sweep: {dir: 'out/${name}', subdir: '${kd.slug:${hydra.job.override_dirname}}'}
  callbacks: {one_folder: {_target_: kdistill.cli._sweep.OneFolder}}
"""
# a command whose jobs fail as their seed says; it needs no torch, so that it starts at once
SCRIPT = """
import sys
from kdistill.cli._hydra import hydra_command
from kdistill.errors import UserError

@hydra_command("tiny", after_sweep=lambda folder: print("summed up", folder))
def main(cfg):
    if cfg.seed == 1:
        raise UserError("seed 1 is the user's mistake")
    if cfg.seed == 2:
        raise ZeroDivisionError("seed 2 is a bug")

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""
LAUNCHERS = ("basic", "joblib", "submitit_local")


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty current folder, with a cache and the primary config tiny.yaml."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/tiny.yaml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KDISTILL_CONFIGS", str(tmp_path / "conf"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


@pytest.fixture
def sweep(desk, monkeypatch):
    """A sweep of jobs that only note their folder; gives the folders, and what was summed up."""
    folders, summed = [], []

    def job(cfg):
        folders.append(output_folder())
        if cfg.seed == 13:
            raise UserError("unlucky")

    command = hydra_command("tiny", after_sweep=summed.append)(job)
    monkeypatch.setattr("kdistill.cli.train.main", command)

    def run(*words):
        folders.clear()
        summed.clear()
        return main(["train", "-m", *words]), folders, summed

    return run


def started(*words):
    """A process of its own: other launchers must find everything there by themselves."""
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=300, check=False
    )


def jobs(folder="runs/default/sweep"):
    return {
        path.parent.parent.name: path.parent.parent
        for path in Path(folder).glob("*/.hydra/overrides.yaml")
    }


UNLIKE = [
    "",
    "defaults",
    "seed=1",
    "seed=1,x=a",
    "seed=1,x=A",
    "x='a b'",
    "x=a_b",
    "x=a/b",
    "x=a\\b",
    "x=a:b",
    "x=a*b",
    "x=é",
    "x=e\u0301",
    "x=e",
    "x=e.",
    "x=e..",
    "~x",
    "+x=1",
    "++x=1",
    "x=[1]",
    "x={1}",
    "x=" + "y" * 300,
    "x=" + "y" * 301,
    "x=" + "Y" * 300,
    "..",
    "../../etc",
    "x=1\n",
    "x=1\0",
]


@pytest.mark.parametrize("text", [*UNLIKE, *map(slug, UNLIKE)])
def test_a_name_is_legal_on_every_file_system(text, tmp_path):
    name = slug(text)
    assert 0 < len(name) <= LONGEST
    assert name.isascii()
    assert not set(name) & set("/\\ :*?\"<>|$'[]{}~\n\0")
    assert name[0] not in ".-"
    assert name[-1] != "."
    (tmp_path / name).mkdir()


def test_no_two_overrides_share_a_folder_where_case_and_accents_do_not_count():
    texts = [*UNLIKE, *(slug(text) for text in UNLIKE if slug(text) != text)]
    folded = {text: unicodedata.normalize("NFKD", slug(text)).casefold() for text in texts}
    for one, other in combinations(dict.fromkeys(texts), 2):
        assert folded[one] != folded[other], (one, other)


def test_plain_overrides_are_their_own_name():
    for text in ("loss.temperature=1", "+experiment=mnist_ensemble,seed=3", "fit.lr=1e-3"):
        assert slug(text) == text
    assert slug("") == "defaults"


def test_the_order_of_the_words_does_not_change_the_folder(sweep):
    _, first, _ = sweep("seed=1,2", "name=a")
    first = list(first)
    _, again, _ = sweep("name=a", "seed=1,2")
    assert again == first
    assert [path.name for path in first] == ["name=a,seed=1", "name=a,seed=2"]


def test_one_sweep_is_one_folder_also_where_its_name_is_swept(sweep, desk):
    code, folders, summed = sweep("name=a,b", "seed=1")
    assert code == 0
    assert {path.parent for path in folders} == {desk / "out/default"}
    assert summed == [Path("out/default")]
    _, folders, summed = sweep('name="it\'s"', "seed=1,2")
    assert {path.parent for path in folders} == {desk / "out/it's"}
    assert summed == [Path("out/it's")]


def test_a_sweep_is_summed_up_after_failures_and_not_after_a_mistake_in_its_words(sweep, capfd):
    code, folders, summed = sweep("seed=12,13,14")
    assert (code, len(folders), len(summed)) == (2, 3, 1)
    code, folders, summed = sweep("sed=1,2")
    assert (code, folders, summed) == (2, [], [])
    assert main(["train", "seed=3"]) == 0  # no sweep
    assert summed == []


def test_what_a_job_returns_is_what_a_sweeper_gets(desk, monkeypatch):
    seen = []

    def noted(self, config, job_return, **_):
        seen.append(job_return.return_value)

    monkeypatch.setattr(OneFolder, "on_job_end", noted)
    assert hydra_command("tiny")(lambda cfg: cfg.seed / 2)(["-m", "seed=1,2"]) == 0
    assert seen == [0.5, 1.0]


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_the_worst_failure_decides_the_exit_code_under_every_launcher(launcher, desk, monkeypatch):
    monkeypatch.setenv("KDISTILL_TRUST", "hydra")  # its config leaves to Hydra what jobs keep
    (desk / "command.py").write_text(SCRIPT)
    for seeds, code in (("0,1,2", 1), ("0,1", 2)):
        done = started("command.py", "-m", f"seed={seeds}", f"hydra/launcher={launcher}")
        assert done.returncode == code, done.stderr
        assert done.stdout.endswith("summed up out/default\n")
    assert set(jobs("out/default")) == {"seed=0", "seed=1", "seed=2"} or launcher != "basic"


def test_the_same_sweep_again_repeats_nothing_but_what_failed(desk, monkeypatch, capfd):
    words = ["train", "-m", *SMALL, "loss.temperature=2,-1"]
    assert main(words) == 2
    assert "temperature must be > 0, got -1" in capfd.readouterr().err
    folder = Path("runs/default/sweep")
    states = {
        name: [(path / file).is_file() for file in ("result.json", "failed.json")]
        for name, path in jobs().items()
    }
    assert sorted(states.values()) == [[False, True], [True, False]]
    (finished,) = (path for path in jobs().values() if (path / "result.json").is_file())
    (failed,) = (path for path in jobs().values() if (path / "failed.json").is_file())
    kept = finished / "result.json", failed / "failed.json"
    before = [file.stat().st_mtime_ns for file in kept]

    assert main(words) == 2
    out, err = capfd.readouterr()
    after = [file.stat().st_mtime_ns for file in kept]
    assert after[0] == before[0]
    assert after[1] > before[1]
    assert "epoch 1/1" not in out
    assert err.count("temperature must be > 0, got -1") == 1
    assert "failed: temperature=-1, seed 0: loss: temperature must be > 0, got -1" in out
    assert out.rstrip().endswith(f"report: {folder / 'sweep.html'}")

    read = list(csv.DictReader((folder / "sweep.csv").read_text().splitlines()))
    assert [(line["loss.temperature"], line["finished"], line["failed"]) for line in read] == [
        ("-1", "0", "1"),
        ("2", "1", "0"),
    ]
    stored = json.loads((finished / "result.json").read_text())
    student = stored["models"]["student"]
    assert float(read[1]["student_errors_mean"]) == student["measures"]["errors"]["value"]
    assert float(read[1]["validation_errors_mean"]) == student["validation"]["errors"]["value"]

    for name in ("sweep.md", "sweep.html", "sweep.csv"):
        (folder / name).unlink()
    assert main(["report", str(folder)]) == 0
    assert "failed: temperature=-1" in capfd.readouterr().out
    assert all((folder / name).is_file() for name in ("sweep.md", "sweep.html", "sweep.csv"))


def test_jobs_of_joblib_train_their_teacher_once_and_a_failure_is_told(desk):
    words = ["train", "-m", *SMALL, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    done = started("-m", "kdistill", *words, "loss.temperature=1,2,-1")
    assert done.returncode == 2, done.stderr
    assert "temperature must be > 0, got -1" in done.stderr
    assert done.stdout.count("done: ") == 2
    assert "epoch 1/1" not in done.stdout  # two at once would talk across each other
    histories = [path / "history.jsonl" for path in jobs().values()]
    stages = [file.read_text() for file in histories if file.is_file()]
    assert len(stages) == 2
    assert sum('"teacher"' in text for text in stages) == 1
    assert len(list(Path(os.environ["KDISTILL_CACHE"]).glob("teachers/*/teacher.json"))) == 1
    assert "1 failed" in done.stdout


def test_submitit_runs_the_jobs_of_a_sweep_and_a_failure_is_told(desk):
    words = ["train", "-m", *SMALL, "hydra/launcher=submitit_local", "loss.temperature=2,-1"]
    done = started("-m", "kdistill", *words)
    assert done.returncode == 2, done.stderr
    assert "failed: temperature=-1, seed 0: loss: temperature must be > 0, got -1" in done.stdout
    assert sorted((path / "result.json").is_file() for path in jobs().values()) == [False, True]
