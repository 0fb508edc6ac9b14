"""resume.pt: the state of an unfinished training, checked before it is believed.

What torch.save writes is a zip archive with a checksum for every record, so a file that was cut
short or changed is noticed, and the one written before it is used. No code in it is run.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from kdistill.artifacts.arrays import read_saved
from kdistill.artifacts.files import replacing, told
from kdistill.errors import UserError


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers, texts and containers of them; the file before it is kept beside."""
    content = BytesIO()  # torch.save tells of a full disk in its own way
    torch.save(state, content)
    new = path.with_suffix(".new.pt")
    with replacing(new) as sibling:
        sibling.write_bytes(content.getbuffer())
    with told(path):
        if path.is_file():
            path.replace(_before(path))
        new.replace(path)


def read_state(path: Path, complain: Callable[[str], None]) -> dict[str, Any] | None:
    """The newest undamaged state in `path` or the file before it; None when there is none.

    `complain` hears of each file that is damaged.
    """
    for file in (path, _before(path)):
        if not file.is_file():
            continue
        try:
            state = read_saved(file, verified=True)
        except UserError:
            state = None
        if isinstance(state, dict):
            return state
        complain(f"{file}: a damaged resume point, which is not used")
    return None


def remove_state(path: Path) -> None:
    """Remove the state and the one before it."""
    path.unlink(missing_ok=True)
    _before(path).unlink(missing_ok=True)


def _before(path: Path) -> Path:
    return path.with_suffix(".before.pt")
