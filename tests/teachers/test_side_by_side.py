"""Members trained by processes side by side are those trained one after the other."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from kdistill.artifacts.text import read_json
from kdistill.data.batch import Dataset
from kdistill.data.tensors import from_tensors
from kdistill.engine.process import Process
from kdistill.engine.resume import ResumePoint
from kdistill.errors import UserError
from kdistill.events import EpochEnded, Event, Listener, Progress, StageEnded, StageStarted, silent
from kdistill.tasks.classification import Classification
from kdistill.teachers import side_by_side
from kdistill.teachers.ensemble import Ensemble
from kdistill.teachers.side_by_side import WallClock, jobs, sharing
from kdistill.teachers.teacher import Context

EPOCHS = 3
LOSS = {"_target_": "kdistill.losses.hard_labels.HardLabels"}
FIT = {
    "_target_": "kdistill.engine.fit.Fit",
    "_recursive_": False,
    "epochs": EPOCHS,
    "batch_size": 20,
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.01},
    "keep": "best",
}
MLP = {"_target_": "kdistill.models.mlp.MLP", "widths": [8]}
# a worker's first network waits for that of another: one worker at a time would not do
MEETING = """
import os
import time
from multiprocessing import parent_process
from pathlib import Path

from torch import nn

HERE = Path(__file__).parent


class Net(nn.Sequential):
    def __init__(self, input_shape, classes):
        layers = nn.Linear(input_shape[0], 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, classes)
        super().__init__(*layers)
        if parent_process():
            (HERE / f"{os.getpid()}.worker").touch()
            until = time.monotonic() + 300
            while len(list(HERE.glob("*.worker"))) < 2:
                if time.monotonic() > until:
                    raise RuntimeError("nobody came")
                time.sleep(0.01)
"""
Run = Callable[..., Context]


def ensemble(members: int, model: Any = MLP, **changes: Any) -> Ensemble:
    return Ensemble(members, "geometric", **{"model": model, "loss": LOSS, "fit": FIT, **changes})


def data() -> Dataset:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(120, 6, generator=generator)
    labels = inputs[:, :3].argmax(1)
    return from_tensors((inputs[:100], labels[:100]), (inputs[100:], labels[100:]), 20)


@dataclass(frozen=True)
class Made:
    """Three members by two workers, of which the cache held the second, and without workers."""

    folder: Path
    alone: Ensemble
    together: Ensemble
    told: list[Event]  # by the workers
    seconds: float  # from the call to its return


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """The model is the user's own; beside it lies a loaded module that no worker would need."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "mine_meeting.py").write_text(MEETING)
    (folder / "mine_neighbour.py").write_text("'''Loaded, so part of a teacher's name.'''\n")
    told: list[Event] = []

    def context(cache: str, listener: Listener = silent) -> Context:
        def point(stage: str) -> ResumePoint:
            return ResumePoint(folder / f"{stage[8]}.pt", 1e-9, pytest.fail)

        process = Process("cpu", "fp32", threads=1).start()
        task = Classification()
        task.bind(data(), taught=True)
        return Context(data(), process, task, folder / cache, listener, point)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        patch.setenv("KDISTILL_TRUST", "mine_meeting,mine_neighbour")
        __import__("mine_neighbour")
        model = {"_target_": "mine_meeting.Net"}
        alone, together = ensemble(3, model), ensemble(3, model, workers=2)
        ensemble(2, model).teachers[1].prepare(context("together"))
        started = time.monotonic()
        together.prepare(context("together", told.append))
        seconds = time.monotonic() - started
        alone.prepare(context("alone"))
        yield Made(folder, alone, together, told, seconds)


def test_workers_leave_the_weights_that_training_one_by_one_leaves(made: Made) -> None:
    assert made.together.hash == made.alone.hash
    for one, other in zip(made.alone.members, made.together.members, strict=True):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name
    kept = sorted((made.folder / "alone" / "teachers").glob("*/weights.safetensors"))
    assert len(kept) == 3
    for file in kept:
        twin = made.folder / "together" / file.relative_to(made.folder / "alone")
        assert twin.read_bytes() == file.read_bytes()


def test_two_at_a_time(made: Made) -> None:
    assert len(list(made.folder.glob("*.worker"))) == 2


def test_what_was_in_the_cache_is_not_trained_again(made: Made) -> None:
    ended = {each.stage: each.reused for each in made.told if isinstance(each, StageEnded)}
    assert ended == {"teacher 1/3": False, "teacher 2/3": True, "teacher 3/3": False}
    assert {each.stage for each in made.told if isinstance(each, StageStarted)} == {
        "teacher 1/3",
        "teacher 3/3",
    }


def test_every_epoch_is_told_once(made: Made) -> None:
    epochs = [(each.stage, each.epoch) for each in made.told if isinstance(each, EpochEnded)]
    assert sorted(epochs) == [
        (f"teacher {member}/3", epoch) for member in (1, 3) for epoch in range(1, EPOCHS + 1)
    ]
    assert any(isinstance(each, Progress) for each in made.told)


def test_seconds_add_up_to_the_time_that_passed(made: Made) -> None:
    ended = [each for each in made.told if isinstance(each, StageEnded)]
    total = sum(each.seconds for each in ended)
    own = [each.note.rpartition("; ")[2] for each in ended if not each.reused]
    seconds = [float(note.removesuffix(" s beside others")) for note in own]
    assert max(seconds) <= total <= made.seconds
    stored = (made.folder / "together" / "teachers").glob("*/teacher.json")
    assert all(read_json(file)["seconds"] < total for file in stored)


def test_resume_points_are_gone(made: Made) -> None:
    assert not list(made.folder.glob("*.pt"))


def test_complete_in_the_cache_no_worker_is_started(
    context: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble(2).prepare(context(tmp_path))
    monkeypatch.setattr(side_by_side, "train_side_by_side", pytest.fail)
    told: list[Event] = []
    ensemble(2, workers=2).prepare(context(tmp_path, told.append))
    assert [each.reused for each in told if isinstance(each, StageEnded)] == [True, True]


def test_one_member_left_still_has_the_threads_of_a_worker(
    context: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble(1).prepare(context(tmp_path))
    asked: list[Any] = []
    monkeypatch.setattr(side_by_side, "train_side_by_side", lambda *args: asked.append(args))
    made = ensemble(2, workers=2)
    made.prepare(context(tmp_path))
    ((teachers, _, workers, executor),) = asked
    assert teachers == [made.teachers[1]]
    assert (workers, executor) == (2, None)


@pytest.mark.parametrize(("threads", "workers", "share"), [(1, 2, 1), (4, 2, 2), (7, 3, 2)])
def test_workers_share_the_threads(threads: int, workers: int, share: int) -> None:
    process = Process("cpu", "fp32", threads=threads).start()
    try:
        assert sharing(process, workers).threads == share
        assert process.threads == threads
    finally:
        Process("cpu", "fp32", threads=1).start()


def test_seconds_count_from_one_end_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = [100.0], []
    monkeypatch.setattr("kdistill.teachers.side_by_side.time.monotonic", lambda: now[0])
    clock = WallClock(told.append)
    for at, own, reused in ((105.0, 5.0, False), (105.5, 5.5, False), (106.0, 0.0, True)):
        now[0] = at
        clock(StageEnded("teacher 1/3", own, reused, "note"))
    now[0] = 111.0
    clock(StageEnded("teacher 2/3", 6.0))
    assert [each.seconds for each in told] == [5.0, 0.5, 0.0, 5.5]
    notes = ["note; 5.0 s beside others", "note; 5.5 s beside others", "note"]
    assert [each.note for each in told] == [*notes, "6.0 s beside others"]


# what is refused


def test_fewer_than_one_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="workers must be >= 1, got 0"):
        ensemble(2, workers=0)


def test_workers_beside_an_executor_are_refused() -> None:
    with pytest.raises(ValueError, match="workers must be 1 where an executor decides that, got 2"):
        ensemble(2, workers=2, executor={"_target_": "mine.Executor"})


def test_without_a_cache_it_is_refused(context: Run) -> None:
    with pytest.raises(UserError, match=r"teacher\.workers.*without a cache nothing comes back"):
        ensemble(2, workers=2).prepare(context(None))


def test_data_that_cannot_be_sent_are_refused(context: Run, tmp_path: Path) -> None:
    given = context(tmp_path)
    object.__setattr__(given.dataset, "note", lambda: "no pickle holds this")
    with pytest.raises(UserError, match=r"dataset: it cannot be sent .*; use teacher\.workers=1"):
        jobs(ensemble(1).teachers, given, given.process, tmp_path)
