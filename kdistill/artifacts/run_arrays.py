"""The arrays that a run keeps for its reports, refused by name where no run has written them."""

from pathlib import Path

import torch
from torch import Tensor

from kdistill.artifacts.arrays import read_tensors
from kdistill.errors import UserError

MOST = 100  # pictures of a sheet: a run shows 40
_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_INPUTS = (torch.uint8, torch.int32, torch.int64, *_FLOATS)
_ABOUT = ("index", "labels")
Pictures = dict[tuple[str, str], Tensor]  # by the names of file and tensor


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


def read_answers(file: Path) -> dict[str, Tensor]:
    """What each model answers to n >= 1 test cases; {} without the file.

    index [n] int64 of the cases; by model MODEL.error [n], 0 where it is right. There may be
    target [n] int64 or floats, and then MODEL.answer [n] as that, and MODEL.confidence [n].
    """
    found = _read(file)
    if not found:
        return {}
    index, target = _whole(file, found, "index"), found.get("target")
    if not len(index) or any(each.shape != index.shape for each in found.values()):
        raise _damaged(file, "its tensors are not of the same cases")
    models = {name.removesuffix(".error") for name in found if name.endswith(".error")}
    kinds = {f"{model}.error": _FLOATS for model in models}
    if target is not None:
        kinds["target"] = (torch.int64, *_FLOATS)
        kinds |= {f"{model}.answer": (target.dtype,) for model in models}
        kinds |= {f"{model}.confidence": _FLOATS for model in models}
    if found.keys() != {"index", *kinds}:
        raise _damaged(file, "it must hold error, answer and confidence of each model")
    for name, kind in kinds.items():
        if found[name].dtype not in kind or not found[name].isfinite().all():
            raise _damaged(file, f"{name} holds other than finite numbers")
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
