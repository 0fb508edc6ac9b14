"""An interrupted training goes on as if it had not been: bit for bit, whatever it is made of."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdistill.artifacts.resume_file import write_state
from kdistill.data.augmentation import Shift
from kdistill.data.batch import Batch, Examples
from kdistill.data.loader import LoaderStream
from kdistill.data.streams import EpochStream
from kdistill.engine import resume as engine_resume
from kdistill.engine.fit import Fit
from kdistill.engine.objective import Objective
from kdistill.engine.process import Process
from kdistill.engine.resume import ResumePoint
from kdistill.engine.stop import deferred, listening
from kdistill.errors import Stopped, UserError
from kdistill.events import EpochEnded, Event, Progress, silent
from kdistill.losses.hard_labels import HardLabels
from kdistill.losses.logits import Logits
from kdistill.losses.loss import Loss
from kdistill.signals.signal import ANSWER, Signal
from kdistill.signals.signals import Signals

CPU = torch.device("cpu")
SGD = {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9, "nesterov": True}
ADAMW = {"_target_": "torch.optim.AdamW", "lr": 0.01, "fused": True}
ONE_CYCLE = {"_target_": "torch.optim.lr_scheduler.OneCycleLR", "max_lr": 0.02}
PLATEAU = {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "patience": 0}
COSINE = {"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR"}
OPTIONS: dict[str, dict[str, Any]] = {
    "adamw, one cycle, clipped": {"optimizer": ADAMW, "scheduler": ONE_CYCLE, "clip": 0.5},
    "sgd, cosine by epoch": {"optimizer": SGD, "scheduler": COSINE, "interval": "epoch"},
    "plain sgd": {"optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1}},
    "averaged": {"optimizer": SGD, "average": 0.8},
    "best kept, plateau": {
        "optimizer": SGD,
        "scheduler": PLATEAU,
        "interval": "epoch",
        "keep": "best",
    },
    "patience": {"optimizer": SGD, "patience": 2, "epochs": 9},
}


class At(ResumePoint):
    """Writes after one step, and then nothing more is done: as if killed right there."""

    at = 0

    def due(self, step: int) -> bool:
        return step == self.at

    def save(self, state: dict[str, Any]) -> None:
        super().save(state)
        raise Stopped(signal.SIGTERM)


def at_step(path: Path, step: int) -> At:
    point = At(path, 3600.0, pytest.fail)
    point.at = step
    return point


class Net(nn.Module):
    """Dropout draws from the global generator, BatchNorm keeps buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(16, 9), nn.BatchNorm1d(9)
        self.second = nn.Linear(9, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.first(inputs.flatten(1))))
        return self.second(nn.functional.dropout(x, 0.4, self.training))


class Projected(Logits):
    """A loss that trains something itself."""

    def bind(self, student: Any, teacher: Any) -> None:
        self.projector = nn.Linear(3, 3)

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        return super().forward(Signals({ANSWER: self.projector(student[ANSWER])}), teacher, batch)


class Drifting:
    """A live teacher: it answers otherwise each time."""

    def __init__(self) -> None:
        self.asked = torch.zeros(())

    def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
        self.asked += 1
        return Signals({ANSWER: torch.sin(batch.inputs.flatten(1)[:, :3] * self.asked)})

    def state_dict(self) -> dict[str, Any]:
        return {"asked": self.asked}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.asked = state["asked"].clone()


@pytest.fixture(scope="module")
def examples() -> Examples:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(50, 1, 4, 4, generator=generator)
    return Examples(inputs, torch.arange(50) % 3, torch.arange(50))


def trained(
    examples: Examples, resume: ResumePoint | None, loss: Loss | None = None, **options: Any
) -> dict[str, Tensor]:
    """Final weights of the student and of the loss."""
    torch.manual_seed(1)
    objective = Objective(Net(), loss or HardLabels())
    objective.loss.bind({}, {})
    listener: Callable[[Event], None] = options.pop("listener", silent)
    teacher = options.pop("teacher", None)
    stream = options.pop("stream", None) or EpochStream(examples, 8, 5, CPU, [Shift(1)])

    def validate(module: nn.Module) -> dict[str, float]:
        """Goes up and down, and depends on every weight."""
        weights = torch.cat([p.detach().flatten() for p in module.parameters()])
        return {"errors": float(torch.sin(100 * weights.double().sum()))}

    fit = Fit(**{"epochs": 4, "batch_size": 8, **options})
    process = Process("cpu", "fp32", threads=1).start()
    names = {"stage": "student", "seed": 7}
    fit(objective, stream, teacher, process, validate, **names, listener=listener, resume=resume)
    return objective.state_dict()


def interrupted(
    path: Path, steps: list[int], again: Callable[[ResumePoint], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """The weights of a training that is killed right after each of these steps."""
    for step in steps:
        with pytest.raises(Stopped):
            again(at_step(path, step))
    return again(ResumePoint(path, 3600.0, pytest.fail))


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("name", OPTIONS)
def test_whatever_the_loop_does_is_resumed_exactly(
    name: str, examples: Examples, tmp_path: Path
) -> None:
    told: dict[bool, dict[int, Any]] = {False: {}, True: {}}

    def again(point: ResumePoint | None) -> dict[str, Tensor]:
        def hear(event: Event) -> None:
            if isinstance(event, EpochEnded):
                figures = event.terms, event.validation, event.learning_rate
                told[point is not None][event.epoch] = figures

        return trained(examples, point, listener=hear, **OPTIONS[name])

    # seven batches an epoch: within the first, at the end of the second, right after it
    weights = interrupted(tmp_path / "s.pt", [3, 14, 15], again)
    assert equal(again(None), weights)
    assert told[False] == told[True]
    assert len(told[True]) > 2


def test_what_the_loss_trains_and_a_live_teacher_are_resumed(
    examples: Examples, tmp_path: Path
) -> None:
    def again(point: ResumePoint | None) -> dict[str, Tensor]:
        return trained(examples, point, Projected(), optimizer=ADAMW, teacher=Drifting())

    alone = again(None)
    weights = interrupted(tmp_path / "s.pt", [5, 11], again)
    assert any(name.startswith("loss.projector") for name in alone)
    assert equal(alone, weights)


def test_a_loader_of_the_users_own_is_resumed(examples: Examples, tmp_path: Path) -> None:
    items = [(torch.randn(8, 16), torch.arange(8) % 3) for _ in range(7)]

    def again(point: ResumePoint | None) -> dict[str, Tensor]:
        return trained(examples, point, optimizer=SGD, stream=LoaderStream(items, CPU, 3))

    alone = again(None)
    assert equal(alone, interrupted(tmp_path / "s.pt", [4, 9], again))


@pytest.mark.parametrize(
    "strange",
    [{"weights": {}}, {"optimizer": 3}, {"parts": []}, {"random": [None]}, {"step": "x"}, {}],
)
def test_the_state_of_another_training_is_refused(
    strange: dict[str, Any], examples: Examples, tmp_path: Path
) -> None:
    def again(point: ResumePoint) -> dict[str, Tensor]:
        return trained(examples, point, **OPTIONS["adamw, one cycle, clipped"])

    path = tmp_path / "s.pt"
    with pytest.raises(Stopped):
        again(at_step(path, 3))
    write_state(path, {**torch.load(path), **strange} if strange else {"epoch": 0})
    with pytest.raises(UserError, match=r"s\.pt: is of another training, or damaged \(.*; remove"):
        again(ResumePoint(path, 3600.0, pytest.fail))


@pytest.mark.parametrize("forgotten", ["random", "optimizer", "stream", "scheduler"])
def test_each_part_of_the_state_matters(
    forgotten: str, examples: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = OPTIONS["adamw, one cycle, clipped"]
    alone = trained(examples, None, **options)
    load = ResumePoint.load

    def without(point: ResumePoint) -> Any:
        state = load(point)
        if state and forgotten == "random":
            state["random"] = []
        elif state and forgotten == "optimizer":
            for moments in state["optimizer"]["state"].values():
                moments["exp_avg"].zero_()
        elif state and forgotten == "stream":
            state["parts"]["stream"]["position"] -= 1
        elif state:
            state["parts"]["scheduler"]["last_epoch"] -= 1
        return state

    monkeypatch.setattr(ResumePoint, "load", without)
    weights = interrupted(tmp_path / "s.pt", [10], lambda p: trained(examples, p, **options))
    assert not equal(alone, weights)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_taken_where_the_training_can_go_on(
    number: int, examples: Examples, tmp_path: Path
) -> None:
    options = OPTIONS["averaged"]
    alone = trained(examples, None, **options)

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress) and event.steps == 10:
            os.kill(os.getpid(), number)

    point = ResumePoint(tmp_path / "s.pt", 3600.0, pytest.fail)
    with listening(), pytest.raises(Stopped) as stopped, deferred():
        trained(examples, point, listener=interrupt, **options)
    assert stopped.value.exit_code == 128 + number
    assert point.load()["step"] == 10
    weights = trained(examples, ResumePoint(tmp_path / "s.pt", 3600.0, pytest.fail), **options)
    assert equal(alone, weights)


def test_outside_a_training_a_signal_stops_at_once() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with listening(), pytest.raises(Stopped, match="stopped by SIGTERM"):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_points_are_written_when_time_has_passed_but_never_cost_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(engine_resume.time, "monotonic", lambda: now[0])

    def slow(path: Path, state: dict[str, Any]) -> None:
        now[0] += 2.0  # s

    monkeypatch.setattr(engine_resume, "write_state", slow)
    point = ResumePoint(tmp_path / "s.pt", 10.0, pytest.fail)
    assert not point.due(1)
    now[0] = 10.0
    assert point.due(2)
    point.save({})
    now[0] += 199.0  # two seconds of writing want two hundred of training
    assert not point.due(3)
    now[0] += 1.0
    assert point.due(4)
