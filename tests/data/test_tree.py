"""Trees: several tensors go through every function as each of them alone does."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kdistill.data.tree import Tree, count, joined, moved, rows, single, stacked

ONE = torch.arange(12).view(4, 3)
TREE = {"a": ONE, "b": torch.tensor([0.5, 1.5, 2.5, 3.5])}
CPU = torch.device("cpu")
FUNCTIONS: list[Callable[[Tree], Tree]] = [
    lambda tree: rows(tree, torch.tensor([3, 0, 3])),
    lambda tree: rows(tree, torch.tensor([], dtype=torch.int64)),
    lambda tree: rows(tree, slice(1, 3)),
    lambda tree: moved(tree, CPU),
    lambda tree: joined([tree, rows(tree, slice(0, 1))]),
    lambda tree: stacked([tree, tree]),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_tensor_of_a_mapping_is_treated_as_one_alone(
    function: Callable[[Tree], Tree],
) -> None:
    made = function(TREE)
    assert not isinstance(made, Tensor)
    assert made.keys() == TREE.keys()
    for name, tensor in made.items():
        assert torch.equal(tensor, single(function(TREE[name])))


def test_rows_are_those_asked_for() -> None:
    assert count(ONE) == count(TREE) == 4
    assert torch.equal(single(rows(ONE, torch.tensor([2, 0]))), ONE[[2, 0]])
    assert single(rows(ONE, slice(1, 3))).data_ptr() == ONE[1:].data_ptr()  # no copy
    assert torch.equal(single(joined([ONE, ONE[:1]])), ONE[[0, 1, 2, 3, 0]])
    assert torch.equal(single(stacked([ONE[2], ONE[0]])), ONE[[2, 0]])


def test_several_tensors_are_no_single_one() -> None:
    with pytest.raises(TypeError, match="there are several: a, b"):
        single(TREE)
