"""Reads a table of numbers that an installed package ships, without importing the package."""

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


def read_table(path: Path) -> Tensor:
    """Float32 [rows, columns] of a .csv.gz file; UserError naming it when it is damaged."""
    try:
        return torch.from_numpy(np.loadtxt(path, delimiter=",", dtype=np.float32, ndmin=2))
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"{path}: damaged ({error}); install the package anew") from None
