"""Reads an RBM that somebody else trained, from .npz, .safetensors or .mat; no code runs.

scikit-learn keeps W transposed; its estimator goes into a file like this:

    machine = BernoulliRBM().fit(images)
    numpy.savez("my_rbm.npz", W=machine.components_.T,
                visible_bias=machine.intercept_visible_, hidden_bias=machine.intercept_hidden_)
"""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdistill.artifacts.arrays import oddity, read_npz, read_tensors
from kdistill.artifacts.mat_file import read_mat
from kdistill.errors import UserError

_Array = Tensor | NDArray[np.generic]
_NAMES = ("W", "visible_bias", "hidden_bias")
_IN_MATLAB = ("vishid", "visbiases", "hidbiases")  # as Salakhutdinov & Murray 2008 name theirs


def read_rbm(path: Path) -> dict[str, Tensor]:
    """weight [visible, hidden], visible_bias and hidden_bias of the RBM in `path`, float32.

    Arrays: W [visible, hidden], visible_bias [visible], hidden_bias [hidden]; a .mat may call them
    vishid, visbiases and hidbiases, and its biases may be rows or columns. UserError, one line, for
    a missing or damaged file and for arrays that are missing, do not fit each other or are not
    finite numbers. A transposed W is refused; where it is square nothing can tell.
    """
    arrays = _read(path)
    names = _IN_MATLAB if path.suffix == ".mat" and _NAMES[0] not in arrays else _NAMES
    if missing := [name for name in names if name not in arrays]:
        raise UserError(
            f"{path}: no array {' or '.join(missing)} in it; an RBM is W [visible, hidden], "
            f"visible_bias and hidden_bias; it holds {', '.join(sorted(arrays)) or 'nothing'}"
        )
    weight, visible, hidden = (_numbers(path, name, arrays[name]) for name in names)
    if path.suffix == ".mat":  # MATLAB has no arrays of one dimension
        visible, hidden = (
            each.flatten() if 1 in each.shape else each for each in (visible, hidden)
        )
    _check_shapes(path, dict(zip(names, (weight, visible, hidden), strict=True)))
    return {"weight": weight, "visible_bias": visible, "hidden_bias": hidden}


def _read(path: Path) -> Mapping[str, _Array]:
    if path.suffix not in (".npz", ".safetensors", ".mat"):
        raise UserError(f"{path}: an RBM is read from .npz, .safetensors or .mat")
    if not os.path.exists(path):  # also for what no path can be
        raise UserError(f"{path}: no such file in {Path.cwd()}")
    if path.suffix == ".mat":
        return read_mat(path)
    return read_tensors(path) if path.suffix == ".safetensors" else read_npz(path)


def _numbers(path: Path, name: str, array: _Array) -> Tensor:
    """`array` as float32; UserError unless it holds finite real numbers."""
    if not isinstance(array, Tensor):
        if array.dtype.kind not in "iuf":
            raise UserError(f"{path}: {name} must be real numbers, it is an array of {array.dtype}")
        with np.errstate(all="ignore"):  # what is no number is told below
            array = torch.from_numpy(array.astype(np.float64))
    if odd := oddity(array):
        raise UserError(f"{path}: {name} must be real numbers, it is {odd}")
    if array.is_complex():
        raise UserError(f"{path}: {name} must be real numbers, it is {array.dtype}")
    numbers: Tensor = array.to(torch.float32)
    if not numbers.isfinite().all():
        count = int((~numbers.isfinite()).sum())
        raise UserError(f"{path}: {name} holds NaN or infinity ({count} of {numbers.numel()})")
    return numbers


def _check_shapes(path: Path, arrays: Mapping[str, Tensor]) -> None:
    """UserError unless the shapes of weight, visible and hidden bias fit each other."""
    (weight_name, weight), *biases = arrays.items()
    for name, dimensions in ((weight_name, 2), *((name, 1) for name, _ in biases)):
        shape = list(arrays[name].shape)
        if len(shape) != dimensions or 0 in shape:
            legal = "[visible, hidden]" if dimensions == 2 else "of one dimension"
            raise UserError(f"{path}: {name} must be {legal} and not empty, its shape is {shape}")
    wanted = [len(bias) for _, bias in biases]
    if list(weight.shape) != wanted:
        named = " and ".join(f"{name} [{len(bias)}]" for name, bias in biases)
        told = f"{path}: {weight_name} is {list(weight.shape)}, but {named} ask for {wanted}"
        transposed = list(weight.shape) == wanted[::-1]
        raise UserError(told + ("; it is transposed, write its transpose" if transposed else ""))
