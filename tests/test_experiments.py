"""Every shipped experiment composes, builds before any data are touched, and runs when small."""

import socket
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

from kdistill.artifacts.run_folder import RunFolder
from kdistill.artifacts.text import read_json_lines
from kdistill.cli import main
from kdistill.compose import recipe, run_config
from kdistill.config.build import to_plain
from kdistill.config.check import check
from kdistill.events import silent
from kdistill.paths import CONFIG_DIR
from kdistill.report.sweep.summary import read_sweep
from kdistill.signals.signal import Signal

FILES = sorted((CONFIG_DIR / "experiment").glob("*.yaml"))


RBM = Path(tempfile.mkdtemp()) / "my_rbm.npz"  # what only a user can give
np.savez(RBM, W=np.eye(16, 4), visible_bias=np.zeros(16), hidden_bias=-np.ones(4))
GIVEN = {"partition_function": [f"teacher.path={RBM}"]}


def composed(path: Path, *words: str) -> dict[str, Any]:
    words = (f"+experiment={path.stem}", *GIVEN.get(path.stem, []), *words)
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return to_plain(compose("train", [*words]))


def test_there_is_one() -> None:
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_fits_and_carries_its_name(path: Path) -> None:
    config = composed(path)
    check(config)
    assert config["name"] == path.stem  # so that its runs lie under that name
    command = path.read_text(encoding="utf-8").splitlines()[1]
    given = " teacher.path=my_rbm.npz" if path.stem in GIVEN else ""
    assert command == f"# kdistill train +experiment={path.stem}{given}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_recipe_builds_without_data(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("building a recipe reached for the network")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    config = composed(path)
    config["device"] = {**config["device"], "kind": "cpu"}
    made = recipe(config)
    assert made.config["name"] == path.stem
    assert all(isinstance(need, Signal) for need in made.loss.teacher_needs)
    assert (made.teacher is None) == (config["teacher"] is None)
    assert made.cache == tmp_path / "cache"
    assert list(tmp_path.iterdir()) == []


# what makes an experiment small beyond what `small` does to all: words by its name
LENETS = ["student.preprocessing.size=16", "teacher.model.preprocessing.size=16"]  # its least
LENETS += ["teacher.model.channels=[4,8]", "teacher.model.hidden=30"]
SMALLER = {
    "hinton_specialists": [*LENETS, "~dataset.classes", "teacher.clusters=2", "teacher.size=4"],
    "hinton_specialists_cifar10": LENETS,
    "hinton_speech": ["task=classification"],  # digits are no recordings
    "derivative_matching": ["transfer.epoch_size=null"],
    "average_score_matching": ["~dataset.classes", "~dataset.source"],
    "noisy_mnist": ["dataset.validation=200", "teacher.model.preprocessing.size=16"],
    "noisy_cifar10": ["transfer.size=500"],
    "noisy_cifar10_full": ["teacher.model.width=0.1"],
    "noisy_svhn": ["teacher.model.width=0.1"],
    "partition_function": [
        *("dataset=none", "student.hidden=8", "task.samples=400", "task.sweeps=40"),
        *("transfer.chains=160", "transfer.burn_in=20", "transfer.epoch_size=2000"),
        *("task.annealed_chains=40", "task.temperatures=50"),
    ],
    "rbm_to_nade": [
        *("dataset=binarised", "dataset@dataset.source=digits", "dataset.how=threshold"),
        *("teacher.hidden=8", "teacher.sweeps=1", "student.hidden=12", "task.samples=400"),
        *("transfer.chains=160", "transfer.burn_in=20", "transfer.epoch_size=2000"),
        *("task.sweeps=40", "task.annealed_chains=40", "task.temperatures=50"),
    ],
}


def small(path: Path) -> list[str]:
    """Words for 8x8 digits, networks of a few units and three short epochs."""
    config, few = composed(path), ["dataset=digits", "device=cpu", "device.threads=1"]
    teacher = config["teacher"] or {}
    for fit in ("fit", "teacher.fit") if "fit" in teacher else ("fit",):
        few += [f"{fit}.epochs=3", f"{fit}.batch_size=32", f"{fit}.optimizer.lr=0.01"]
    if "specialist_fit" in teacher:
        few += ["teacher.specialist_fit.epochs=3", "teacher.specialist_fit.batch_size=32"]
    if "members" in teacher:
        few.append("teacher.members=2")
    if "widths" in teacher.get("model", {}):
        few.append("teacher.model.widths=[32]")
    if "widths" in config["student"]:
        few.append("student.widths=[16]")
    return [*few, *SMALLER.get(path.stem, [])]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_runs_when_made_small(path: Path, tmp_path: Path) -> None:
    """The whole pipeline: every model learns, is measured, and stands in the report."""
    folder = RunFolder(tmp_path / "run")
    result = run_config(composed(path, *small(path), "cache=false"), folder.path, silent)
    assert result.experiment == path.stem
    for name, network in result.models.items():
        assert network is None or network.measures[result.main].n == 400, name
    losses: dict[str, list[float]] = {}
    for line in read_json_lines(folder.history):
        losses.setdefault(line["stage"], []).append(line["terms"]["total"])
    assert "student" in losses
    for stage, values in losses.items():  # an RBM's is no measure of progress
        assert values[-1] < values[0] or (path.stem, stage) == ("rbm_to_nade", "teacher"), stage
    assert result.experiment in folder.report_html.read_text(encoding="utf-8")
    assert not folder.work.exists()


def swept(path: Path) -> dict[str, list[str]]:
    """The values of every key that an experiment sweeps by itself."""
    hydra = yaml.safe_load(path.read_text(encoding="utf-8")).get("hydra", {})
    parser, found = OverridesParser.create(), {}
    for key, values in hydra.get("sweeper", {}).get("params", {}).items():
        word = parser.parse_override(f"{key}={values}")
        found[key] = list(word.sweep_string_iterator())
    return found


SWEEPS = [path for path in FILES if swept(path)]


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_value_of_its_sweep_fits(path: Path) -> None:
    for key, values in swept(path).items():
        for value in values:
            check(composed(path, f"{key}={value}"))


ALIKE = ("noisy_cifar10", "noisy_cifar10_full", "noisy_svhn")  # noisy_mnist on other data
OWN = [path for path in SWEEPS if path.stem not in ALIKE]


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_its_sweep_runs_by_its_name_alone(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two values of the longest list, the last of every other; what is no teacher's shares one."""
    monkeypatch.setenv("KDISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    lists = swept(path)
    longest = max(lists, key=lambda key: len(lists[key]))
    few = [f"{key}={','.join(values[-1 - (key == longest) :])}" for key, values in lists.items()]
    words = [f"+experiment={path.stem}", *small(path), *few]
    assert main(["check", *words]) == 0
    planned = capsys.readouterr().out
    assert planned.count("in all") == planned.count("The first job of a sweep") == 1
    assert {each.name for each in tmp_path.iterdir()} <= {"cache"}

    assert main(["train", *words]) == 0
    sweep = read_sweep(tmp_path / "runs" / path.stem / "sweep")
    assert [job.state for row in sweep.rows for job in row.jobs] == ["finished"] * 2
    assert (sweep.folder / "sweep.html").is_file()
    trained = 2 if longest.startswith("teacher.") else 1
    networks = 2 if composed(path)["teacher"]["_target_"].endswith(".Ensemble") else 1
    kept = list((tmp_path / "cache" / "teachers").iterdir())
    assert len(kept) == 2 * trained * networks  # each has a folder and a lock
