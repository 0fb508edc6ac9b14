"""HeldOut: the teacher is asked about validation and test data once, and never for another."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from kdistill.artifacts.files import write_tensors
from kdistill.data.tensors import from_tensors
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.events import Event, Warned, silent
from kdistill.held_out import HeldOut
from kdistill.tasks.classification import Classification
from kdistill.teachers.frozen import Frozen
from kdistill.teachers.teacher import Context

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


@pytest.fixture
def context(tmp_path: Path) -> Context:
    dataset = from_tensors(data(0), data(1), data(2), CLASSES, "made")
    task = Classification()
    task.bind(dataset, taught=True)
    return Context(dataset, Process(precision="fp32").start(), task, tmp_path, silent)


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


def test_each_is_asked_once_about_each_part(teacher: Frozen, context: Context) -> None:
    validation, test = context.dataset.validation.inputs, context.dataset.test.inputs
    for count in (1, 0):  # another job finds what the first one kept
        held_out = HeldOut(teacher, context)
        for _ in range(2):
            for one, expected in zip(
                said(held_out), (2 * validation, 2 * test, 3 * test, 4 * test), strict=True
            ):
                assert torch.equal(one, expected)
        assert asked(teacher) == [2 * count, count, count]


def test_without_a_name_it_is_asked_once_a_run(
    teacher: Frozen, context: Context, tmp_path: Path
) -> None:
    teacher.hash = None
    for _ in range(2):
        held_out = HeldOut(teacher, context)
        said(held_out)
        said(held_out)
        assert asked(teacher) == [2, 1, 1]
    assert not [*tmp_path.iterdir()]


def test_what_another_said_is_not_taken_for_it(teacher: Frozen, context: Context) -> None:
    said(HeldOut(teacher, context))
    asked(teacher)

    def fresh(context: Context) -> bool:
        test = context.dataset.test.inputs
        assert torch.equal(HeldOut(teacher, context).teacher("test"), teacher.network.scale * test)
        return asked(teacher)[0] == 1

    assert not fresh(context)
    other = from_tensors(data(0), data(7), data(2), CLASSES, "made")
    assert fresh(replace(context, dataset=other))
    assert fresh(replace(context, process=Process(precision="bf16").start()))
    teacher.network.scale.fill_(5.0)  # trained again under the same name, say
    assert fresh(context)
    teacher.hash = "another"
    assert fresh(context)


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: write_tensors(file, {"answer": torch.zeros(4, CLASSES)}),
        lambda file: write_tensors(file, {"answer": torch.full((5, CLASSES), torch.nan)}),
        lambda file: write_tensors(file, {"other": torch.zeros(5, CLASSES)}),
    ],
)
def test_damage_is_told_and_asked_again(
    damage: Callable[[Path], object], teacher: Frozen, context: Context, tmp_path: Path
) -> None:
    told = list[Event]()
    whole = said(HeldOut(teacher, context))
    asked(teacher)
    for file in tmp_path.rglob("*.safetensors"):
        damage(file)
    again = said(HeldOut(teacher, replace(context, listener=told.append)))
    assert all(torch.equal(one, other) for one, other in zip(whole, again, strict=True))
    assert asked(teacher) == [2, 1, 1]
    assert [type(event) for event in told] == 4 * [Warned]


def test_nan_is_told(teacher: Frozen, context: Context) -> None:
    teacher.network.scale.fill_(torch.nan)
    with pytest.raises(
        UserError, match=r"teacher: its answers about the test set are NaN; .*weights"
    ):
        HeldOut(teacher, context).teacher("test")
