"""A run that is ended anywhere goes on, repeats nothing that was finished, and ends up the same."""

import json
import signal
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.artifacts.weights import read_weights
from kdistill.cli import main
from kdistill.compose import run_config
from kdistill.config.build import to_plain
from kdistill.errors import Occupied, UserError
from kdistill.events import EpochEnded, Event, Progress, StageEnded, StageStarted, Warned, silent
from kdistill.paths import CONFIG_DIR

WORDS = [
    *("dataset=digits", "dataset.validation=200", "teacher=ensemble", "teacher.members=2"),
    *("teacher.model.widths=[8]", "teacher.fit.epochs=2", "teacher.fit.batch_size=256"),
    *("student.widths=[8]", "student.dropout=0.2", "fit.epochs=3", "fit.batch_size=256"),
    *("device=cpu", "device.threads=1", "cache=false", "save_every=1e-9"),
]


@lru_cache
def config(*words: str) -> dict[str, Any]:
    """Two members and a student on scikit-learn's digits: a second or so."""
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return to_plain(compose("train", [*WORDS, *words]))


class Killed(BaseException):
    """Nothing in the run may mend this."""


class At:
    """A listener that ends the run at its n-th event, and counts the epochs it hears of."""

    def __init__(self, last: int) -> None:
        self.left = last
        self.heard: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.heard.append(event)
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.fixture(autouse=True)
def _points_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long they take to write."""
    monkeypatch.setattr("kdistill.engine.resume.SHARE", 1e9)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, list[Event]]:
    """A run left alone, and everything it told."""
    folder = RunFolder(tmp_path_factory.mktemp("alone") / "run")
    told: list[Event] = []
    run_config(config(), folder.path, told.append)
    return folder, told


def same(one: RunFolder, other: RunFolder) -> None:
    """Same bytes, same figures, nothing left over."""
    for name in ("student", "baseline", "predictions"):
        assert getattr(one, name).read_bytes() == getattr(other, name).read_bytes(), name
    left, right = Result.read(one.result), Result.read(other.result)
    for name, model in left.models.items():
        assert model.measures == right.models[name].measures
        assert model.validation == right.models[name].validation
    once, again = dict(left.signals), dict(right.signals)
    # answers that an interrupted run has stored count as reused
    counts = [sum(told.pop(key, 0) for key in ("asked", "reused")) for told in (once, again)]
    assert counts[0] == counts[1]
    assert once == again
    assert left.seconds.keys() == right.seconds.keys()
    assert not other.work.exists()


@pytest.mark.parametrize("share", [0.02, 0.2, 0.35, 0.5, 0.65, 0.8, 0.97, 1.0])
def test_ended_anywhere_a_run_goes_on(
    share: float, alone: tuple[RunFolder, list[Event]], tmp_path: Path
) -> None:
    folder, last = RunFolder(tmp_path / "run"), max(round(share * len(alone[1])), 1)
    with pytest.raises(Killed):
        run_config(config(), folder.path, At(last))
    told: list[Event] = []
    run_config(config(), folder.path, told.append)
    same(alone[0], folder)
    warnings = [Result.read(run.result).warnings for run in (alone[0], folder)]
    assert warnings[0] == warnings[1]
    ended = [event for event in alone[1][: last - 1] if isinstance(event, StageEnded)]
    begun = {event.stage for event in told if isinstance(event, StageStarted)}
    # a stage whose end was told before the last but one is not begun again
    assert not {event.stage for event in ended[:-1]} & begun - {"signals"}


def test_killed_at_every_stage_in_turn_it_trains_each_epoch_once(
    alone: tuple[RunFolder, list[Event]], tmp_path: Path
) -> None:
    folder, epochs, attempts = RunFolder(tmp_path / "run"), Counter(), 0
    while not folder.result.is_file():
        listener = At(17)
        try:
            run_config(config(), folder.path, listener)
        except Killed:
            attempts += 1
        epochs.update(
            (event.stage, event.epoch) for event in listener.heard if isinstance(event, EpochEnded)
        )
    same(alone[0], folder)
    assert attempts > 4
    expected = {(e.stage, e.epoch) for e in alone[1] if isinstance(e, EpochEnded)}
    assert set(epochs) == expected
    assert max(epochs.values()) <= 2  # told, and ended before its resume point was written


def test_a_repair_is_built_in_once_also_when_ended_before_the_result(tmp_path: Path) -> None:
    words = config("transfer.omit_classes=[3]", "repair=validation")
    alone, ended = RunFolder(tmp_path / "alone"), RunFolder(tmp_path / "ended")
    told: list[Event] = []
    run_config(words, alone.path, told.append)
    for _ in range(2):  # the last event is told when the repaired student is written
        with pytest.raises(Killed):
            run_config(words, ended.path, At(1) if ended.student.is_file() else At(len(told)))
        assert ended.student.read_bytes() == alone.student.read_bytes()
        assert not ended.result.is_file()
    run_config(words, ended.path, silent)
    same(alone, ended)
    (table,) = Result.read(ended.result).tables
    assert [table] == Result.read(alone.result).tables
    assert table.title == "Omitted classes: 3"

    trained = RunFolder(tmp_path / "trained")
    run_config(config("transfer.omit_classes=[3]"), trained.path, silent)
    shift = float(table.rows[1][2])
    for file, shifted in (("student", shift), ("baseline", float(table.rows[4][2]))):
        plain, repaired = (read_weights(getattr(run, file)) for run in (trained, ended))
        moved = {name: (repaired[name] - each).abs().max() for name, each in plain.items()}
        (name,) = [name for name, by in moved.items() if by > 0]
        change = repaired[name] - plain[name]
        assert change[3].item() == pytest.approx(shifted, abs=0.006)
        assert change.count_nonzero() == 1
    # the figures of the saved student are those of its row
    errors = {run: Result.read(run.result).models["student"].measures for run in (trained, ended)}
    assert [row[3] for row in table.rows[:2]] == [each["errors"].value for each in errors.values()]


def test_a_finished_run_is_not_repeated(alone: tuple[RunFolder, list[Event]]) -> None:
    folder = alone[0]
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}

    def refuse(event: Event) -> None:
        raise AssertionError(event)

    result = run_config(config(), folder.path, refuse)
    assert result == Result.read(folder.result)
    assert {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")} == before
    with pytest.raises(Occupied, match=r"fit\.epochs is 3 there, 4 here"):
        run_config(config("fit.epochs=4"), folder.path, refuse)


def test_one_step_less_in_the_resume_point_is_noticed(
    alone: tuple[RunFolder, list[Event]], tmp_path: Path
) -> None:
    """The comparison above can fail: other work gives other bytes."""
    run_config(config("seed=4"), tmp_path / "run", silent)
    with pytest.raises(AssertionError, match="student"):
        same(alone[0], RunFolder(tmp_path / "run"))


@pytest.mark.parametrize("file", ["student.safetensors", "resume/baseline.pt"])
def test_a_damaged_file_is_named_and_its_work_done_again(
    file: str, alone: tuple[RunFolder, list[Event]], tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")

    def kill_in_baseline(event: Event) -> None:
        if isinstance(event, Progress) and (event.stage, event.steps) == ("baseline", 9):
            raise Killed

    with pytest.raises(Killed):
        run_config(config(), folder.path, kill_in_baseline)
    damaged = folder.path / file
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 4
    damaged.write_bytes(content)
    told: list[Event] = []
    run_config(config(), folder.path, told.append)
    same(alone[0], folder)
    warned = [event.message for event in told if isinstance(event, Warned)]
    assert [str(damaged) in message for message in warned if "damaged" in message] == [True]


def test_a_folder_that_vanishes_is_told(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")

    def remove(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.stage == "student":
            folder.path.rename(tmp_path / "moved")

    with pytest.raises(UserError, match=r"run/.*: cannot be written, its folder is gone"):
        run_config(config(), folder.path, remove)
    run_config(config(), tmp_path / "moved", silent)
    assert Result.read(tmp_path / "moved" / "result.json").models["student"]


def test_resume_is_a_command(
    alone: tuple[RunFolder, list[Event]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(Killed):
        run_config(config(), folder.path, At(60))
    assert main(["resume", str(folder.path)]) == 0
    same(alone[0], folder)
    assert "Student distilled" in capfd.readouterr().out
    assert "baseline  epoch 3/3" in (folder.path / "train.log").read_text()
    assert main(["resume", str(folder.path)]) == 0  # shows the report again
    assert "epoch" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere: no run to go on with"),
        (["run", "seed=2"], "seed=2: a resumed run takes device.KEY=VALUE alone"),
        (["run", "device.kindd=cpu"], "device.kindd"),
    ],
)
def test_what_cannot_be_resumed_is_one_line(
    words: list[str], said: str, tmp_path: Path, monkeypatch: Any, capfd: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    RunFolder(tmp_path / "run").path.mkdir()
    (tmp_path / "run" / "config.yaml").write_text(json.dumps(config()))
    assert main(["resume", *words]) == 2
    told = capfd.readouterr().err
    assert told.startswith(f"kdistill: {said}")
    assert told.count("\n") == 1


def test_sigterm_in_a_real_run_writes_a_point_and_says_how_to_go_on(
    alone: tuple[RunFolder, list[Event]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.config.write_text(json.dumps({**config(), "save_every": 3600}))
    told = Counter()

    def raising(event: Event) -> str | None:
        told["events"] += 1
        if isinstance(event, Progress) and (event.stage, event.steps) == ("student", 6):
            signal.raise_signal(signal.SIGTERM)
        return None

    with monkeypatch.context() as patched:
        patched.setattr("kdistill.cli.progress.told", raising)
        assert main(["resume", str(folder.path)]) == 143
    hint = f"stopped by SIGTERM in student; go on with: kdistill resume {folder.path}"
    assert hint in capfd.readouterr().err
    assert (folder.work / "student.pt").is_file()
    assert main(["resume", str(folder.path)]) == 0
    same(alone[0], folder)
