"""Confusion: which class was taken for which."""

from collections import Counter

import torch
from torch import Tensor

Pair = tuple[int, int]  # a class, and what it was taken for


def confusion(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Cases by class and answer, [classes, classes] int64; the diagonal holds the right ones.

    probabilities: [n, classes]; labels: [n] int64.
    """
    classes = probabilities.shape[1]
    cell = labels.cpu() * classes + probabilities.cpu().argmax(1)
    return torch.bincount(cell, minlength=classes * classes).view(classes, classes)


def mistakes(probabilities: Tensor, labels: Tensor) -> Counter[Pair]:
    """Cases by mistake; of any number of classes, since what does not happen takes no room."""
    answers, labels = probabilities.cpu().argmax(1), labels.cpu()
    wrong = answers != labels
    return Counter(zip(labels[wrong].tolist(), answers[wrong].tolist(), strict=True))


def confused_pairs(found: Counter[Pair]) -> list[tuple[int, int, int]]:
    """(class, taken for, cases) of every mistake in `found`, the most frequent first."""
    return [(*pair, count) for pair, count in sorted(found.items(), key=lambda one: (-one[1], one))]
