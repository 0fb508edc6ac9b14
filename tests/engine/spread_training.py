"""Trains the same small models in one process or, under torchrun, in several, and keeps them.

python spread_training.py FOLDER
torchrun --standalone --nproc-per-node 2 spread_training.py FOLDER
"""

import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kdistill import ranks
from kdistill.data.batch import Batch, Examples
from kdistill.data.loader import LoaderStream
from kdistill.data.streams import EpochStream
from kdistill.engine.fit import Fit
from kdistill.engine.objective import Objective
from kdistill.engine.process import Process
from kdistill.engine.resume import ResumePoint
from kdistill.errors import Stopped
from kdistill.events import EpochEnded, Event
from kdistill.losses.soft_targets import SoftTargets
from kdistill.models.mlp import MLP
from kdistill.signals.signal import ANSWER, Signal
from kdistill.signals.signals import Signals
from kdistill.signals.store import StoredAnswers

CPU = torch.device("cpu")
SGD = {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9}
ADAMW = {"_target_": "torch.optim.AdamW", "lr": 0.01}
ONE_CYCLE = {"_target_": "torch.optim.lr_scheduler.OneCycleLR", "max_lr": 0.05}
# batches of 8 from 51 examples: the last of an epoch has 3, which two processes cannot halve;
# from 50: it has 2; batches of 3 from 7: it has one example, which joins the two before it
CASES: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": SGD, "count": 51},
    "adamw": {"optimizer": ADAMW, "scheduler": ONE_CYCLE, "clip": 0.1, "count": 50},
    "one each": {"optimizer": SGD, "batch_size": 1, "count": 7},
    "averaged": {"optimizer": SGD, "average": 0.8, "max_norm": 0.5, "count": 51},
    "best": {"optimizer": SGD, "keep": "best", "count": 51},
    "loader": {"optimizer": SGD, "count": 51},
    "stored": {"optimizer": SGD, "count": 51},
    "masked": {"optimizer": SGD, "count": 51},
}


class Sines:
    """A teacher that counts what it was asked."""

    asked = 0

    def answer(self, batch: Batch, needs: frozenset[Signal]) -> Signals:
        self.asked += len(batch)
        return Signals({ANSWER: torch.sin(3 * batch.inputs[..., :3])})


class KilledAt(ResumePoint):
    """Every process writes after that step, and then nothing more is done."""

    at = 0

    def due(self, step: int) -> bool:
        return step == self.at

    def save(self, state: dict[str, Any]) -> None:
        super().save(state)
        raise Stopped(15)


def train(
    name: str, strategy: str, dtype: torch.dtype, resume: ResumePoint | None = None
) -> dict[str, Any]:
    """Weights, the means of the loss terms of each epoch, and what the teacher was asked."""
    options = dict(CASES[name])
    count, max_norm = options.pop("count"), options.pop("max_norm", None)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(count, 6, generator=generator, dtype=dtype)
    examples = Examples(inputs, inputs[:, :3].argmax(1), torch.arange(count))
    torch.manual_seed(1)
    student: nn.Module = MLP([9], (6,), 3, max_norm=max_norm).to(dtype)
    if name == "masked":  # an answer at each of four positions, of which some inputs have none
        inputs = torch.randn(count, 4, 6, generator=generator, dtype=dtype)
        mask = torch.rand(count, 4, generator=generator) < torch.arange(count)[:, None] / count
        examples = Examples(inputs, inputs[..., :3].argmax(2), torch.arange(count), mask=mask)
        student = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 3)).to(dtype)
    objective, told, teacher = Objective(student, SoftTargets(2.0, 0.5)), [], Sines()
    fit = Fit(**{"epochs": 3, "batch_size": 8, **options})
    process = Process("cpu", "fp32", strategy=strategy).start()
    stream: Any = EpochStream(examples, fit.batch_size, 5, CPU)
    if name == "loader":
        pieces = zip(examples.inputs.split(8), examples.targets.split(8), strict=True)
        stream = LoaderStream(list(pieces), CPU, 3, dtype=dtype)
    answers: Any = teacher
    if name == "stored":
        answers = StoredAnswers(teacher, None, CPU)
        answers.collect(examples, frozenset({ANSWER}), lambda event: None)

    def hear(event: Event) -> None:
        if isinstance(event, EpochEnded):
            told.append(event.terms)

    def validate(module: nn.Module) -> dict[str, float]:
        total: Tensor = sum(p.detach().double().square().sum() for p in module.parameters())
        return {"errors": float(torch.sin(20 * total))}

    fit(
        *(objective, stream, answers, process, validate),
        stage=name,
        seed=7,
        listener=hear,
        resume=resume,
    )
    return {"weights": student.state_dict(), "terms": told, "asked": teacher.asked}


def interrupted(file: Path, name: str, strategy: str, step: int) -> None:
    """Leave a resume point after `step`."""
    point = KilledAt(file, 3600.0, print)
    point.at = step
    try:
        train(name, strategy, torch.float32, point)
    except Stopped:
        return
    raise AssertionError("it was not interrupted")


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    ranks.join()
    made: dict[str, Any] = {}
    for dtype in (torch.float32, torch.float64):
        for name in CASES:
            made[f"ddp {name} {dtype}"] = train(name, "ddp", dtype)
        for name in ("sgd", "adamw", "best"):
            made[f"fsdp {name} {dtype}"] = train(name, "fsdp", dtype)
    for strategy in ("ddp", "fsdp"):
        for name in ("sgd", "adamw"):
            file = folder / f"{strategy} {name}.pt"
            interrupted(file, name, strategy, 10)
            ranks.agree(None)  # written by now
            point = ResumePoint(file, 3600.0, print)
            made[f"{strategy} {name} resumed"] = train(name, strategy, torch.float32, point)
    made["asked"] = ranks.gathered(made["ddp stored torch.float32"]["asked"])
    if ranks.first():
        torch.save(made, folder / "made.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    os._exit(0)  # as kdistill's own processes end: see kdistill/__main__.py
