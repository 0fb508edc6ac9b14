"""Spec: what one example is made of, known without reading any.

>>> picture = Array((1, 28, 28), torch.uint8)
>>> blank(picture, 2).shape
torch.Size([2, 1, 28, 28])
>>> text = {"tokens": Array((3,), torch.int64, below=30522), "length": Array((), torch.int64)}
>>> blank(text, 1)
{'tokens': tensor([[0, 0, 0]]), 'length': tensor([0])}
>>> check_like("inputs", {"tokens": torch.zeros(5, 4).long(), "length": torch.ones(5).long()}, text)
Traceback (most recent call last):
kdistill.errors.UserError: inputs.tokens are int64 [4] each, they must be int64 [3]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import torch
from torch import Tensor

from kdistill.data.tree import Tree
from kdistill.errors import UserError


@dataclass(frozen=True)
class Array:
    """One array of an example, without the batch dimension.

    below: of whole numbers, 0 <= value < below: the size of a vocabulary; 2 for bits, which uint8
    holds as 0 and 255.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    below: int | None = None

    def __str__(self) -> str:
        return f"{_kind(self.dtype)} {[*self.shape]}"


Spec: TypeAlias = Array | Mapping[str, Array]


def one_of(classes: Sequence[str]) -> Array | None:
    """Of a target that is one of `classes`; None where there are none."""
    return Array((), torch.int64, below=len(classes)) if classes else None


def blank(spec: Spec, count: int) -> Tree:
    """`count` examples of zeros."""
    if isinstance(spec, Array):
        return torch.zeros(count, *spec.shape, dtype=spec.dtype)
    return {name: torch.zeros(count, *one.shape, dtype=one.dtype) for name, one in spec.items()}


def spec_of(tree: Tree) -> Spec:
    """Of one row of `tree`; how large its numbers may be is not known."""
    if isinstance(tree, Tensor):
        return Array(tuple(tree.shape[1:]), tree.dtype)
    return {name: Array(tuple(one.shape[1:]), one.dtype) for name, one in tree.items()}


def shape_of(spec: Spec) -> tuple[int, ...]:
    """Of the one array that an example is; TypeError where there are several."""
    if not isinstance(spec, Array):
        raise TypeError(f"one array is needed here, and there are several: {', '.join(spec)}")
    return spec.shape


def arrays(spec: Spec) -> Mapping[str, Array]:
    """The arrays by name; a single one has the name ''."""
    return {"": spec} if isinstance(spec, Array) else spec


def numbers(spec: Spec) -> int:
    """How many numbers an example has."""
    return sum(prod(array.shape) for array in arrays(spec).values())


def check_like(name: str, tree: Tree, spec: Spec) -> None:
    """UserError unless the rows of `tree`, which the user knows as `name`, are as `spec` says."""
    found, wanted = arrays(spec_of(tree)), arrays(spec)
    if found.keys() != wanted.keys():
        raise UserError(f"{name} must be {_listed(spec)}, got {_listed(spec_of(tree))}")
    for key, array in wanted.items():
        if (found[key].shape, found[key].dtype) != (array.shape, array.dtype):
            place = f"{name}.{key}" if key else name
            raise UserError(f"{place} are {found[key]} each, they must be {array}")
    if not isinstance(tree, Tensor):
        first, *others = tree
        for key in others:
            if len(tree[key]) != len(tree[first]):
                many, few = len(tree[key]), len(tree[first])
                raise UserError(f"{name}.{key} are {many}, and {name}.{first} {few}")


def _listed(spec: Spec) -> str:
    return "one array" if isinstance(spec, Array) else f"the arrays {', '.join(spec)}"


def to_yaml(spec: Spec) -> dict[str, Any]:
    """Its keys in a file: input_shape and dtype of a single array, or inputs by their names."""
    if isinstance(spec, Array):
        return {"input_shape": [*spec.shape], "dtype": _kind(spec.dtype)}
    return {
        "inputs": {
            name: {"shape": [*one.shape], "dtype": _kind(one.dtype), "below": one.below}
            for name, one in spec.items()
        }
    }


def from_yaml(about: Mapping[str, Any]) -> Spec:
    """The spec of such keys, where dtype may be missing; ValueError for others."""
    several = about.get("inputs")
    if not isinstance(several, dict):
        return _array(about.get("input_shape"), about.get("dtype", "float32"))
    if not several or not all(isinstance(one, dict) for one in several.values()):
        raise ValueError("inputs must hold arrays by name")
    return {
        str(name): _array(one.get("shape"), one.get("dtype"), one.get("below"))
        for name, one in several.items()
    }


def _array(shape: Any, dtype: Any, below: Any = None) -> Array:
    kind = getattr(torch, str(dtype), None)
    if not isinstance(shape, list) or not all(type(n) is int and n >= 1 for n in shape):
        raise ValueError("a shape must be a list of whole numbers >= 1")
    if not isinstance(kind, torch.dtype):
        raise ValueError(f"a dtype must be one of torch, got {dtype}")
    if not (below is None or isinstance(below, int)):
        raise ValueError(f"below must be a number, got {below}")
    return Array(tuple(shape), kind, below)


def _kind(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
