"""Nothing is read or written through links inside a run folder or the cache."""

import os
from pathlib import Path
from shutil import rmtree

import pytest
import yaml

from kdistill.artifacts.cache_lock import cache_lock
from kdistill.artifacts.files import write_text
from kdistill.artifacts.run_folder import RunFolder
from kdistill.artifacts.weights import read_weights, student_config
from kdistill.cli import main
from kdistill.errors import UserError
from kdistill.launch import _launch

FOLDERS = ("work", "words")
NAMES = [name for name, value in vars(RunFolder).items() if isinstance(value, property)]
INSIDE = ("resume/student.pt", "resume/cache/teachers/0", ".hydra/config.yaml", ".hydra/mine/x")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder, with a file in it, that nobody may touch."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("theirs")
    yield tmp_path / "outside"
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["file"]
    assert (tmp_path / "outside" / "file").read_text() == "theirs"


def linked(path: Path, target: Path) -> Path:
    """`path` as a link to `target`, whatever was there before."""
    if path.is_dir():
        rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return path


@pytest.mark.parametrize("name", [*NAMES, *INSIDE])
def test_a_folder_with_a_link_is_not_entered(name: str, tmp_path: Path, outside: Path) -> None:
    kept = RunFolder(tmp_path / "run")
    place = getattr(kept, name, kept.path / name)
    link = linked(place, outside if name in FOLDERS else outside / "file")
    ways = {
        "to show it": kept.finished,
        "to go on with it": lambda: kept.holds({"seed": 1}),
        "to start it": lambda: kept.begin({"seed": 1}),
        "to work in it": kept.locked().__enter__,
        "for its student": lambda: read_weights(kept.path),
        "for its student's config": lambda: student_config(kept.path),
    }
    for enter in ways.values():
        with pytest.raises(UserError, match="a link to .*outside") as told:
            enter()
        assert str(told.value).startswith(str(link))
        assert "\n" not in str(told.value)


def test_other_links_in_the_folder_are_the_persons_own(tmp_path: Path, outside: Path) -> None:
    """A run may work in a folder of other things, where .venv is a link, say."""
    linked(tmp_path / "run" / "mine", outside)
    linked(tmp_path / "name", tmp_path / "run")  # nor is the folder that is named refused
    with RunFolder(tmp_path / "name").locked():
        RunFolder(tmp_path / "name").begin({})


COMMANDS = {
    "train": ["train", "dataset=digits", "device=cpu", "hydra.run.dir=old", "hydra.verbose=true"],
    "resume": ["resume", "old"],
    "evaluate": ["evaluate", "old"],
    "report": ["report", "old"],
    "diff": ["diff", "old", "old"],
    "sample": ["sample", "old", "samples.safetensors"],
    "teacher": ["train", "dataset=digits", "device=cpu", "teacher.weights=old"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["train.log", "student.safetensors"])
def test_no_command_follows_a_link(command, name, mistake, run_folder, outside) -> None:
    linked(run_folder / name, outside / "file")
    assert f"old/{name}: a link to" in mistake(*COMMANDS[command])


def test_a_pipe_is_no_file(mistake, run_folder) -> None:
    (run_folder / "train.log").unlink()
    os.mkfifo(run_folder / "train.log")
    assert "old/train.log: neither a file nor a folder" in mistake("resume", "old")
    assert "old/train.log: neither a file nor a folder" in mistake(*COMMANDS["train"])


def test_a_sibling_that_is_a_link_is_replaced(tmp_path: Path, outside: Path) -> None:
    linked(tmp_path / f".a.txt.{os.getpid()}.tmp", outside / "file")
    linked(tmp_path / "a.txt", outside / "file")
    write_text(tmp_path / "a.txt", "mine")
    assert not (tmp_path / "a.txt").is_symlink()
    assert (tmp_path / "a.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["", "0", "0.lock", "0/weights.safetensors", "0/a/b"])
def test_no_entry_of_the_cache_is_a_link(name: str, tmp_path: Path, outside: Path) -> None:
    folder = tmp_path / "cache" / "teachers" / "0"
    link = linked(folder.parent / name if name else folder.parent, outside)
    with pytest.raises(UserError, match="a link to .*outside") as told:
        cache_lock(folder)
    assert str(told.value).startswith(str(link))


@pytest.mark.parametrize("name", ["teachers", "answers/0", "clusters/0/clusters.json"])
@pytest.mark.parametrize("action", [["list"], ["clean", "--yes"]])
def test_the_cache_is_not_cleaned_through_links(name, action, mistake, desk, outside) -> None:
    linked(desk / "cache" / name, outside)
    assert f"cache/{name}: a link to" in mistake("cache", *action)


def test_the_folder_of_a_sweep_has_no_link_that_is_written_to(desk, outside, capsys) -> None:
    linked(desk / "sweep" / "multirun.yaml", outside / "file")
    linked(desk / "sweep" / "sweep.md", outside / "file")
    words = ["hydra.sweep.dir=sweep", "hydra.sweep.subdir=one", "seed=1"]
    assert main(["train", "-m", "dataset=digits", "device=cpu", "fit.epochs=0", *words]) == 2
    assert not (desk / "sweep" / "multirun.yaml").is_symlink()
    assert not (desk / "sweep" / "sweep.md").is_symlink()


@pytest.mark.parametrize("key", ["weights", "path"])
def test_a_run_folder_names_no_weights_outside(key, mistake, run_folder, capfd) -> None:
    config = yaml.safe_load((run_folder / "config.yaml").read_text())
    config["teacher"] = {**config["teacher"], key: "../my weights.pt"}
    (run_folder / "config.yaml").write_text(yaml.safe_dump(config))
    (run_folder / "result.json").unlink()
    command = f"kdistill resume old 'teacher.{key}=../my weights.pt'"
    for words in ([], ["device.threads=1"], [f"teacher.{key}=../mine.pt"]):
        assert mistake("resume", "old", *words).endswith(f"if you know them: {command}")
    words = [f"teacher.{key}=../my weights.pt", f"teacher.{key}=../other.pt"]
    assert "other.pt: a resumed run takes device.KEY=VALUE" in mistake("resume", "old", *words)
    assert main(["resume", "old", words[0]]) == 2  # it goes on, and there is no such file
    told = capfd.readouterr().err
    assert ("my weights.pt: no such file" if key == "weights" else "no parameter 'path'") in told


def test_the_processes_of_a_run_are_told_of_its_weights(monkeypatch) -> None:
    told: list[str] = []
    launch = "torch.distributed.launcher.api.elastic_launch"
    monkeypatch.setattr(launch, lambda config, program: lambda *words: told.extend(words))
    _launch(2, Path("run"), {"teacher": {"weights": "w.pt"}})
    assert told[-2:] == ["run", "teacher.weights=w.pt"]
