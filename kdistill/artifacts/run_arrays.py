"""The arrays that a run keeps for its reports, refused by name where no run has written them."""

from pathlib import Path

import torch
from torch import Tensor

from kdistill.artifacts.arrays import read_tensors
from kdistill.errors import UserError

MOST = 100  # inputs or samples that are shown: a run keeps 8 and 40
_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_INPUTS = (torch.uint8, torch.int32, torch.int64, *_FLOATS)
_ABOUT = ("index", "labels")


def read_predictions(file: Path) -> dict[str, Tensor]:
    """index and labels [n] int64, and probabilities [n, classes] by model; {} without the file.

    n >= 1, classes >= 2, and every label is below that.
    """
    found = _read(file)
    if not found:
        return {}
    about = [_whole(file, found, name) for name in _ABOUT]
    n, labels = len(about[0]), about[1]
    models = {name: found[name] for name in found if name not in _ABOUT}
    widths = {each.shape[1] for each in models.values() if each.ndim == 2}
    for name, each in models.items():
        if each.ndim != 2 or len(each) != n or len(widths) > 1 or each.shape[1] < 2:
            raise _damaged(file, "its tensors are not of the same cases and classes")
        if each.dtype not in _FLOATS or not ((each >= 0) & (each <= 1.001)).all():  # nor NaN
            raise _damaged(file, f"{name} holds other than probabilities")
    if len(labels) != n or not n:
        raise _damaged(file, "its tensors are not of the same cases and classes")
    if widths and not 0 <= int(labels.min()) <= int(labels.max()) < max(widths):
        raise _damaged(file, f"it has labels outside 0..{max(widths) - 1}")
    return found


def read_gallery(file: Path, cases: int) -> dict[str, Tensor]:
    """inputs [shown, ...] and row [shown] int64, each below `cases`; {} without the file."""
    found = _read(file)
    if not found:
        return {}
    rows, inputs = _whole(file, found, "row"), found.get("inputs")
    if inputs is None or not inputs.ndim or len(inputs) != len(rows) or len(rows) > MOST:
        raise _damaged(file, f"it must hold inputs, one for each row, {MOST} at most")
    if inputs.dtype not in _INPUTS or not inputs.isfinite().all():
        raise _damaged(file, "inputs holds other than finite numbers")
    if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < cases:
        raise _damaged(file, "it shows cases that are not in predictions")
    return found


def read_densities(file: Path) -> dict[str, Tensor]:
    """log p(x) [n] of the test data by model; {} without the file."""
    found = _read(file)
    if not found:
        return {}
    index = _whole(file, found, "index")
    models = {name: found[name] for name in found if name != "index"}
    if not len(index) or any(each.shape != index.shape for each in models.values()):
        raise _damaged(file, "its tensors are not of the same cases")
    for name, each in models.items():
        if each.dtype not in _FLOATS or not each.isfinite().all():
            raise _damaged(file, f"{name} holds other than finite floats")
    return models


def read_samples(file: Path) -> dict[str, Tensor]:
    """Samples [shown, *input] uint8 by model; {} without the file."""
    found = _read(file)
    for name, each in found.items():
        if each.dtype != torch.uint8 or not each.ndim or not 0 < len(each) <= MOST:
            raise _damaged(file, f"{name} must be 1 to {MOST} samples of uint8")
    return found


def _read(file: Path) -> dict[str, Tensor]:
    return read_tensors(file) if file.exists() else {}


def _whole(file: Path, found: dict[str, Tensor], name: str) -> Tensor:
    numbers = found.get(name)
    if numbers is None or numbers.ndim != 1 or numbers.dtype != torch.int64:
        raise _damaged(file, f"it must hold {name}, whole numbers in a row")
    return numbers


def _damaged(file: Path, why: str) -> UserError:
    return UserError(f"{file}: damaged; {why}")
