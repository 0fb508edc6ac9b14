"""A repaired student: chosen without the test set, built in exactly, refused where it cannot be."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from kdistill.data.batch import Dataset
from kdistill.data.tensors import from_tensors
from kdistill.engine.process import Process
from kdistill.errors import UserError
from kdistill.models.network import Network
from kdistill.students.repair import bias_name, build_in, find_shifts, frequencies, table

CPU = Process("cpu", "fp32").start()
LOW = 6.0  # by which the bias of the class that was never shown is too low


@pytest.fixture
def dataset() -> Dataset:
    """Three classes along three axes; 60 % of the cases are of the last."""
    generator = torch.Generator().manual_seed(0)

    def part(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.tensor([0, 0, 1, 1, 2, 2, 2, 2, 2, 2]).repeat(n // 10)
        return 4 * torch.eye(3)[labels] + torch.randn(n, 3, generator=generator), labels

    return from_tensors(part(300), part(200), part(100), classes=["ant", "bee", "cat"])


@pytest.fixture
def student() -> nn.Module:
    """Right about all classes, but for the bias of the last."""
    linear = nn.Linear(3, 3)
    with torch.no_grad():
        linear.weight.copy_(2 * torch.eye(3))
        linear.bias.copy_(torch.tensor([0.0, 0.0, -LOW]))
    return Network.wrap(linear)


def test_both_shifts_find_the_bias_that_is_missing(student: nn.Module, dataset: Dataset) -> None:
    shifts = find_shifts(student, [2], dataset, CPU)
    assert list(shifts) == ["validation", "prior"]
    for shift in shifts.values():
        assert shift.item() == pytest.approx(LOW, abs=2)
    said = table({"student": student(dataset.test.inputs)}, {"student": shifts}, [2], dataset, None)
    errors = {row[1]: row[3] for row in said.rows}
    assert errors["none (saved)"] > 20
    assert errors["held-out labels"] <= 2
    assert errors["class prior"] <= 2


def test_the_test_set_and_unseen_labels_have_no_say(student: nn.Module, dataset: Dataset) -> None:
    shifts = find_shifts(student, [2], dataset, CPU)
    other = replace(dataset, test=dataset.train)
    assert {k: v.tolist() for k, v in find_shifts(student, [2], other, CPU).items()} == {
        k: v.tolist() for k, v in shifts.items()
    }
    unlabelled = replace(dataset, validation=replace(dataset.validation, targets=None))
    found = find_shifts(student, [2], unlabelled, CPU)
    assert list(found) == ["prior"]
    assert torch.equal(found["prior"], shifts["prior"])


def test_the_prior_is_met_on_what_is_held_out_or_else_on_the_training_inputs(
    student: nn.Module, dataset: Dataset
) -> None:
    assert frequencies(dataset).tolist() == pytest.approx([0.2, 0.2, 0.6])
    nothing = dataset.validation.take(torch.arange(0))
    for asked, data in (
        (dataset.validation, dataset),
        (dataset.train, replace(dataset, validation=nothing)),
    ):
        shifts = find_shifts(student, [0, 2], data, CPU)["prior"]
        logits = student(asked.inputs).double()
        logits[:, [0, 2]] += shifts
        means = logits.softmax(1).mean(0)[[0, 2]].tolist()
        assert means == pytest.approx([0.2, 0.6], abs=1e-5)  # shares of the whole training set


def test_what_is_built_in_is_added_to_the_logits_of_those_classes(dataset: Dataset) -> None:
    network = Network.wrap(nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 3)))
    before, kept = network(dataset.test.inputs), network.model[0].bias.clone()
    name = bias_name(network, dataset.test.inputs[:1], 3)
    assert name == "model.2.bias"
    assert torch.equal(network(dataset.test.inputs), before)  # trying it out left it as it was
    build_in(network, name, [0, 2], torch.tensor([1.5, -2.25], dtype=torch.float64))
    moved = network(dataset.test.inputs) - before
    assert torch.allclose(moved, torch.tensor([1.5, 0.0, -2.25]).expand_as(moved), atol=1e-5)
    assert torch.equal(network.model[0].bias, kept)


class Hidden(nn.Module):
    """Has a bias as long as there are classes, but adds it before a ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, inputs):
        return self.linear(inputs).relu()


@pytest.mark.parametrize("model", [nn.Linear(3, 3, bias=False), Hidden()])
def test_a_student_without_such_a_bias_is_refused(model: nn.Module) -> None:
    with pytest.raises(UserError, match=r"^repair: the student has no bias of 3 numbers") as told:
        bias_name(Network.wrap(model), torch.zeros(1, 3), 3)
    assert "\n" not in str(told.value)


def test_the_table_counts_by_hand() -> None:
    labels = torch.tensor([0, 1, 2, 2, 2])
    logits = torch.tensor([[3.0, 0, 0], [0, 3, 0], [3, 0, 2], [1, 0, 3], [9, 0, 0]])
    data = from_tensors((logits, labels), (logits, labels), classes=["ant", "bee", "cat"])
    shift = torch.tensor([2.0], dtype=torch.float64)
    made = table({"baseline": logits}, {"baseline": {"prior": shift}}, [2], data, "prior")
    assert made.title == "Omitted classes: cat"
    assert made.rows == [
        ["Student alone", "none", "0.00", 2, 2, pytest.approx(100 / 3)],
        ["Student alone", "class prior (saved)", "2.00", 1, 1, pytest.approx(200 / 3)],
    ]
    assert "3 of 5 test cases" in made.note
