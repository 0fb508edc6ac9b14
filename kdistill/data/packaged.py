"""Reads a table of numbers that an installed package ships, without importing the package."""

import warnings
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kdistill.errors import UserError


def packaged_file(package: str, name: str, remedy: str) -> Path:
    """The file `name` in the folder of `package`; UserError with the remedy when it is missing."""
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or []:
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    raise UserError(f"the data that {package} ships are not installed; {remedy}")


def read_table(path: Path, columns: int) -> Tensor:
    """Float32 [rows, columns] of a .csv.gz file, its last column a digit; UserError naming it when
    it is damaged."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an empty file
            table = np.loadtxt(path, delimiter=",", dtype=np.float32, ndmin=2)
        if table.shape[1] != columns or not len(table):
            raise ValueError(f"it has not {columns} columns")
        if not (np.isfinite(table).all() and np.isin(table[:, -1], np.arange(10)).all()):
            raise ValueError("it holds other than numbers and a digit")
    except (ValueError, OSError, EOFError, zlib.error, MemoryError) as error:
        said = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: damaged ({said}); install the package anew") from None
    return torch.from_numpy(table)
