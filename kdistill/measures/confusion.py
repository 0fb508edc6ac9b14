"""Confusion: which class was taken for which."""

import torch
from torch import Tensor


def confusion(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Cases by class and answer, [classes, classes] int64; the diagonal holds the right ones.

    probabilities: [n, classes]; labels: [n] int64.
    """
    classes = probabilities.shape[1]
    cell = labels.cpu() * classes + probabilities.cpu().argmax(1)
    return torch.bincount(cell, minlength=classes * classes).view(classes, classes)


def confused_pairs(matrix: Tensor) -> list[tuple[int, int, int]]:
    """(class, taken for, cases) of every mistake in `matrix`, the most frequent first."""
    wrong = matrix.clone().fill_diagonal_(0)
    pairs = [(row, column, int(wrong[row, column])) for row, column in wrong.nonzero().tolist()]
    return sorted(pairs, key=lambda pair: -pair[2])
