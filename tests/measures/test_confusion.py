"""Confusion, by hand."""

import torch

from kdistill.measures.confusion import confused_pairs, confusion


def test_rows_are_classes_and_columns_are_answers() -> None:
    answers = torch.eye(3)[[0, 0, 1, 2, 2, 2]]
    labels = torch.tensor([0, 1, 1, 1, 2, 1])
    assert confusion(answers, labels).tolist() == [[1, 0, 0], [1, 1, 2], [0, 0, 1]]


def test_pairs_are_the_mistakes_alone_the_most_frequent_first() -> None:
    matrix = torch.tensor([[90, 1, 0], [4, 80, 2], [0, 3, 70]])
    assert confused_pairs(matrix) == [(1, 0, 4), (2, 1, 3), (1, 2, 2), (0, 1, 1)]
    assert int(matrix[0, 0]) == 90  # what was given stays as it was
