"""HeldOut: the teacher is asked about validation and test data once, and never for another."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from kdistill.data.tensors import from_tensors
from kdistill.data.transfer import TrainingSet
from kdistill.engine.fit import Fit
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.events import Event, Warned, silent
from kdistill.held_out import HeldOut
from kdistill.losses.soft_targets import SoftTargets
from kdistill.measures.classification import Classification
from kdistill.parts import Parts
from kdistill.teachers.frozen import Frozen

CLASSES = 3


class Counted(nn.Module):
    """Answers with its inputs times a number, and counts how often."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale, self.times = nn.Parameter(torch.tensor(scale), requires_grad=False), 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.times += 1
        return self.scale * inputs


def data(seed: int, count: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, CLASSES, generator=generator), torch.arange(count) % CLASSES


def parts_of(teacher: Frozen) -> Parts:
    return Parts(
        dataset=from_tensors(data(0), data(1), data(2), CLASSES, "made"),
        transfer=TrainingSet(),
        teacher=teacher,
        student=Counted(1.0),
        loss=SoftTargets(),
        fit=Fit(1, 8, {}),
        measure=Classification(),
        process=Process().start(),
        name="held out",
        seed=0,
        baseline=False,
        cache=None,
    )


@pytest.fixture
def teacher() -> Frozen:
    """With two members, and a name."""
    made = Frozen(Counted(2.0))
    made.hash, made.members = "named", [Counted(3.0), Counted(4.0)]
    return made


def asked(teacher: Frozen) -> list[int]:
    """How often each has been asked since."""
    networks = [teacher.network, *teacher.members]
    counts = [one.times for one in networks]
    for one in networks:
        one.times = 0
    return counts


def said(held_out: HeldOut) -> list[Tensor]:
    return [held_out.teacher("validation"), held_out.teacher("test"), *held_out.members("test")]


def test_each_is_asked_once_about_each_part(teacher: Frozen, tmp_path: Path) -> None:
    parts = parts_of(teacher)
    validation, test = parts.dataset.validation.inputs, parts.dataset.test.inputs
    for count in (1, 0):  # another job finds what the first one kept
        held_out = HeldOut(parts, tmp_path, silent)
        for _ in range(2):
            for one, expected in zip(
                said(held_out), (2 * validation, 2 * test, 3 * test, 4 * test), strict=True
            ):
                assert torch.equal(one, expected)
        assert asked(teacher) == [2 * count, count, count]


def test_without_a_name_it_is_asked_once_a_run(teacher: Frozen, tmp_path: Path) -> None:
    teacher.hash = None
    for _ in range(2):
        held_out = HeldOut(parts_of(teacher), tmp_path, silent)
        said(held_out)
        said(held_out)
        assert asked(teacher) == [2, 1, 1]
    assert not [*tmp_path.iterdir()]


def test_what_another_said_is_not_taken_for_it(teacher: Frozen, tmp_path: Path) -> None:
    parts = parts_of(teacher)
    said(HeldOut(parts, tmp_path, silent))
    asked(teacher)

    def fresh(parts: Parts) -> bool:
        held_out = HeldOut(parts, tmp_path, silent)
        assert torch.equal(
            held_out.teacher("test"), teacher.network.scale * parts.dataset.test.inputs
        )
        return asked(teacher)[0] == 1

    assert not fresh(parts)
    other = from_tensors(data(0), data(7), data(2), CLASSES, "made")
    assert fresh(replace(parts, dataset=other))
    assert fresh(replace(parts, process=Process(precision="bf16").start()))
    teacher.network.scale.fill_(5.0)  # trained again under the same name, say
    assert fresh(parts)
    teacher.hash = "another"
    assert fresh(parts)


def test_damage_is_told_and_asked_again(teacher: Frozen, tmp_path: Path) -> None:
    parts, told = parts_of(teacher), list[Event]()
    whole = said(HeldOut(parts, tmp_path, silent))
    asked(teacher)
    for file in tmp_path.rglob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-1])
    again = said(HeldOut(parts, tmp_path, told.append))
    assert all(torch.equal(one, other) for one, other in zip(whole, again, strict=True))
    assert asked(teacher) == [2, 1, 1]
    assert [type(event) for event in told] == 4 * [Warned]


def test_nan_is_told(teacher: Frozen, tmp_path: Path) -> None:
    teacher.network.scale.fill_(torch.nan)
    with pytest.raises(UserError, match=r"teacher: its logits on the test set are NaN; .*weights"):
        HeldOut(parts_of(teacher), tmp_path, silent).teacher("test")
