"""The figures of Hinton's table 4 and 5, from answers that were made up."""

import math

import pytest
import torch

from kdistill.teachers.specialist_tables import answers_table, conditional_accuracy, coverage_table


def test_examples_are_counted_by_the_specialists_of_their_class() -> None:
    covering = torch.tensor([0, 0, 1, 1, 1, 1, 3, 3])
    before = torch.tensor([1, 0, 1, 1, 0, 0, 0, 0]).bool()
    after = torch.tensor([1, 0, 1, 1, 1, 0, 0, 1]).bool()
    rows = coverage_table(covering, before, after).rows
    assert rows == [[0, 2, 0, 0.0], [1, 4, 1, 50.0], [2, 0, 0, None], [3, 2, 1, None]]


def test_conditional_accuracy_looks_only_within_each_set() -> None:
    labels = torch.tensor([0, 1, 2, 3])
    logits = torch.tensor([[1.0, 0, 9, 9], [5, 4, 0, 0], [9, 0, 2, 1], [0, 0, 1, 9]])
    assert conditional_accuracy(logits, labels, torch.tensor([[1, 1, 0, 0]]).bool()) == 0.5
    both = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 1]]).bool()
    assert conditional_accuracy(logits, labels, both) == 0.75
    overlapping = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 1]]).bool()
    assert conditional_accuracy(logits, labels, overlapping) == pytest.approx(4 / 5)
    nobody = torch.zeros(1, 4, dtype=torch.bool)
    assert math.isnan(conditional_accuracy(logits, labels, nobody))


def test_answers_stand_beside_the_first() -> None:
    labels, own = torch.arange(4), torch.tensor([[1, 1, 0, 0], [0, 0, 1, 1]]).bool()
    exact, swapped = torch.eye(4), torch.eye(4)[[1, 0, 2, 3]]
    table = answers_table({"alone": swapped, "both": exact, "same": swapped}, labels, own)
    assert table.rows == [
        ["alone", 50.0, 50.0, None],
        ["both", 100.0, 100.0, pytest.approx(0.5)],
        ["same", 50.0, 50.0, 1.0],
    ]
