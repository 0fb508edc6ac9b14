"""Checks a user's own arrays: their kinds, shapes and values, each error naming the array."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdistill.artifacts.arrays import oddity
from kdistill.errors import UserError


def checked_inputs(name: str, array: Any) -> Tensor:
    """`array` as uint8 or float32 [n, ...]; UserError for other kinds, NaN, infinity, no rows."""
    inputs = tensor_of(name, array)
    if inputs.dim() < 2 or inputs.numel() == 0:
        raise UserError(f"{name} must be [n, ...] and not empty, its shape is {_shape(inputs)}")
    if inputs.dtype == torch.uint8:
        return inputs
    if not inputs.is_floating_point():
        raise UserError(f"{name} must be uint8 or floating, it is {_kind(inputs)}; convert it")
    inputs = inputs.to(torch.float32)
    if not (finite := inputs.isfinite()).all():
        row = int((~finite).flatten(1).any(1).nonzero()[0])
        raise UserError(f"{name}[{row}] holds NaN or infinity; finite numbers are needed")
    return inputs


def checked_labels(name: str, array: Any, count: int) -> Tensor:
    """`array` as int64 [count], none negative; UserError otherwise."""
    labels = tensor_of(name, array)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise UserError(f"{name} must be integers, they are {_kind(labels)}")
    if labels.shape != (count,):
        raise UserError(
            f"{name} must have the shape [{count}], one for each input, it is {_shape(labels)}"
        )
    wrapped = 2**64 if labels.dtype == torch.uint64 else 0  # what a sign stands for
    labels = labels.long()
    if (labels < 0).any():
        row = int((labels < 0).nonzero()[0])
        value = int(labels[row]) + wrapped
        raise UserError(f"{name}[{row}] is {value}; labels are >= 0 and below 2^63")
    return labels


def check_range(name: str, labels: Tensor, classes: int, origin: str) -> None:
    """UserError naming the first label not below `classes`, a number that `origin` explains."""
    if (labels >= classes).any():
        row = int((labels >= classes).nonzero()[0])
        raise UserError(
            f"{name}[{row}] is {int(labels[row])}, but {classes} classes ({origin}) allow "
            f"0..{classes - 1}; give more classes or mend the labels"
        )


def same_kind(name: str, inputs: Tensor, other_name: str, other: Tensor) -> None:
    """UserError when one input of `inputs` has another shape or dtype than one of `other`."""
    if inputs.shape[1:] != other.shape[1:] or inputs.dtype != other.dtype:
        raise UserError(
            f"{name} are {_kind(inputs)} {_shape(inputs[0])}, "
            f"but {other_name} are {_kind(other)} {_shape(other[0])}"
        )


def check_bits(inputs: Tensor, name: str) -> None:
    """UserError unless `inputs`, a density's, are 0 and 1, or as uint8 0 and 255."""
    one = 255 if inputs.dtype == torch.uint8 else 1
    other = inputs[(inputs != 0) & (inputs != one)]  # NaN too
    if len(other):
        raise UserError(
            f"{name} of a density must be 0 and {one}, they hold {float(other[0]):g} and others; "
            "use dataset=binarised"
        )


def tensor_of(name: str, array: Any) -> Tensor:
    """`array` on the CPU; UserError unless it is of numbers."""
    if isinstance(array, Tensor):
        if odd := oddity(array):
            raise UserError(f"{name} must be numbers one beside the other, it is {odd}")
        return array.detach().cpu()
    array = np.asarray(array)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:  # torch has no longer ones
        raise UserError(f"{name} must be numbers, it is an array of {array.dtype}")
    native = array.astype(array.dtype.newbyteorder("="))  # a copy: torch refuses read-only ones
    return torch.from_numpy(native)


def _shape(tensor: Tensor) -> str:
    return str(list(tensor.shape))


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
