"""Errors of the average member and of the ensembles, counted where they can be counted by hand."""

import torch
from torch import Tensor, nn

from kdistill.data.batch import Dataset
from kdistill.data.tensors import from_tensors
from kdistill.engine.process import Process
from kdistill.teachers.together import combinations_table


class Fixed(nn.Module):
    """Answers input i, which is its own number, with row i."""

    def __init__(self, rows: list[list[float]]) -> None:
        super().__init__()
        self.rows = torch.tensor(rows)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.rows[inputs[:, 0].long()]


def numbered(labels: list[int], validation: int) -> Dataset:
    inputs = torch.arange(2.0)[:, None]
    train = inputs.repeat(2, 1), torch.tensor([0, 1, 0, 1])
    return from_tensors(train, (inputs, torch.tensor(labels)), validation)


def test_the_three_rows_count_what_they_say() -> None:
    # input 0: one is sure of class 1, two lean to class 0; so only the mean logits say 1
    sure, leaning = [0.0, 100.0], [3.0, 0.0]
    right = [100.0, 0.0]
    members = [Fixed([sure, right]), Fixed([leaning, right]), Fixed([leaning, right])]
    process = Process("cpu", "fp32").start()
    table = combinations_table(members, numbered([0, 0], 0), process)
    assert table.columns == ["", "test errors"]
    assert table.rows == [
        ["average member", 1 / 3],
        ["together, arithmetic mean", 0],
        ["together, geometric mean", 1],
    ]


def test_validation_comes_first_where_there_is_some() -> None:
    table = combinations_table(
        [Fixed([[1.0, 0.0], [1.0, 0.0]])], numbered([0, 0], 2), Process("cpu", "fp32").start()
    )
    assert table.columns == ["", "validation errors", "test errors"]
    assert [row[2] for row in table.rows] == [0.0, 0, 0]
    assert [row[1] for row in table.rows] == [table.rows[0][1]] * 3
