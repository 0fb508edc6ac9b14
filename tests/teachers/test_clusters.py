"""Classes that are predicted together end in one set; no labels are looked at."""

import pytest
import torch
from torch import Tensor

from kdistill.errors import UserError
from kdistill.teachers.clusters import cluster_classes

GROUPS = [(0, 4, 5), (1, 2), (3, 6, 7, 8)]


def confused(groups: list[tuple[int, ...]], n: int = 600) -> Tensor:
    """Predictions that are sure of a group and know nothing within it."""
    generator = torch.Generator().manual_seed(0)
    classes = sum(map(len, groups))
    logits = torch.randn(n, classes, generator=generator)
    for row in range(n):
        logits[row, list(groups[row % len(groups)])] += 6
    return logits.softmax(1)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_confused_is_one_set(seed: int) -> None:
    assert cluster_classes(confused(GROUPS), 3, seed) == GROUPS


def test_the_same_seed_gives_the_same_sets() -> None:
    said = torch.randn(200, 20, generator=torch.Generator().manual_seed(0)).softmax(1)
    sets = cluster_classes(said, 5, seed=3)
    assert sets == cluster_classes(said, 5, seed=3)
    assert sorted(sum(sets, ())) == list(range(20))


def test_sets_of_one_size_hold_the_nearest_classes_and_may_overlap() -> None:
    sets = cluster_classes(confused(GROUPS), 3, 0, size=4)
    assert [len(each) for each in sets] == [4, 4, 4]
    assert all(any(set(group) <= set(each) for each in sets) for group in GROUPS)
    assert sum(map(len, sets)) > 9


def test_equal_sets_are_one() -> None:
    alike = confused([(0, 1), (2, 3)])
    assert cluster_classes(alike, 4, 0, size=2) == [(0, 1), (2, 3)]


def test_classes_that_are_all_alike_are_told() -> None:
    with pytest.raises(UserError, match=r"teacher\.clusters: .* one cluster; train it longer"):
        cluster_classes(torch.full((50, 4), 0.25), 2, 0)
