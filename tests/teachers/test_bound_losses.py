"""A loss that trains something itself can be a teacher's: it is bound before the training."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kdistill.signals.signal import ANSWER
from kdistill.teachers.born_again import BornAgain
from kdistill.teachers.community import Community
from kdistill.teachers.network import NetworkTeacher
from kdistill.teachers.specialists import Specialists
from kdistill.teachers.teacher import Context

MODEL = {"_target_": "kdistill.models.mlp.MLP", "widths": [8]}
HARD = {"_target_": "kdistill.losses.hard_labels.HardLabels"}
FIT = {
    "_target_": "kdistill.engine.fit.Fit",
    "_recursive_": False,
    "epochs": 2,
    "batch_size": 20,
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1},
}
CODE = """
from torch import nn
from torch.nn import functional as F

from kdistill.losses.hard_labels import HardLabels
from kdistill.losses.logits import Logits
from kdistill.signals.signal import ANSWER
from kdistill.signals.signals import Signals

BOUND = []  # (the loss, the shapes it was told, its first weights)


class Projected(Logits):
    def bind(self, student, teacher):
        self.projector = nn.Linear(*student[ANSWER], *teacher[ANSWER])
        BOUND.append((self, dict(student), dict(teacher), self.projector.weight.clone()))

    def forward(self, student, teacher, batch):
        return super().forward(Signals({ANSWER: self.projector(student[ANSWER])}), teacher, batch)


class Scaled(HardLabels):
    def bind(self, student, teacher):
        self.projector = nn.Linear(*student[ANSWER], *student[ANSWER])
        BOUND.append((self, dict(student), dict(teacher), self.projector.weight.clone()))

    def forward(self, student, teacher, batch):
        return super().forward(Signals({ANSWER: self.projector(student[ANSWER])}), teacher, batch)


class Normed(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 3))
"""
PROJECTED, SCALED = {"_target_": "projected.Projected"}, {"_target_": "projected.Scaled"}
Run = Callable[..., Context]


@pytest.fixture
def bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Any]]:
    """What was bound since it was last asked."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "projected.py").write_text(CODE)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path / "code")
    monkeypatch.delitem(sys.modules, "projected", raising=False)
    monkeypatch.setenv("KDISTILL_TRUST", "projected")

    def taken() -> list[Any]:
        losses = sys.modules["projected"].BOUND
        found = list(losses)
        losses.clear()
        return found

    return taken


COMMUNITY = {"members": 2, "combine": "geometric", "model": MODEL, "fit": FIT}
TEACHERS: dict[str, Callable[[], Any]] = {
    "network": lambda: NetworkTeacher(MODEL, SCALED, FIT),
    "born again": lambda: BornAgain(2, "last", MODEL, HARD, PROJECTED, FIT),
    "community": lambda: Community(
        learning="codistillation", loss=SCALED, peers=PROJECTED, **COMMUNITY
    ),
    "together": lambda: Community(learning="average", loss=SCALED, peers=HARD, **COMMUNITY),
    "specialists": lambda: Specialists(MODEL, SCALED, FIT, FIT, clusters=2),
}
LOGITS = {ANSWER: torch.Size([3])}
TOLD: dict[str, list[Any]] = {  # the shapes of the student's and of the teacher's answers
    "network": [(LOGITS, {})],
    "born again": [(LOGITS, LOGITS)] * 2,
    "community": [(LOGITS, {}), (LOGITS, LOGITS)],
    "together": [(LOGITS, {})],
    "specialists": [(LOGITS, {})],  # of the generalist; a specialist has fewer classes, or as many
}


@pytest.mark.parametrize("name", TEACHERS)
def test_what_a_loss_makes_is_trained_with_the_network(
    name: str, bound: Callable[[], list[Any]], context: Run
) -> None:
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)  # the teacher's own seed decides
        teacher = TEACHERS[name]()
        teacher.prepare(context())
        found.append([value.clone() for value in teacher.network.state_dict().values()])
        losses = bound()
        for loss, _, _, first in losses:
            assert not torch.equal(loss.projector.weight, first)
        told = [(student, taught) for _, student, taught, _ in losses]
        assert told[: len(TOLD[name])] == TOLD[name]
        assert len(told) == (3 if name == "specialists" else len(TOLD[name]))
    assert all(map(torch.equal, *found))


def test_asking_for_shapes_leaves_the_network_as_it_was(
    bound: Callable[[], list[Any]], context: Run
) -> None:
    teacher = NetworkTeacher({"_target_": "projected.Normed"}, SCALED, FIT)
    teacher.prepare(context())
    assert len(bound()) == 1
    assert teacher.network.state_dict()["model.1.num_batches_tracked"] == 2 * 4  # steps
