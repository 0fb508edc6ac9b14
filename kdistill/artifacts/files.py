"""Every file that matters is written here: to a temporary sibling, flushed, then renamed."""

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from kdistill.errors import UserError

CHECKSUM = "checksum"  # its name in the metadata of a .safetensors file


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; on success flush it to disk and rename it to `path`.

    UserError when the folder is gone or the disk is full; what was there before then stays.
    """
    sibling = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with told(path):
        try:
            yield sibling
            with sibling.open("rb") as written:
                os.fsync(written.fileno())
            sibling.replace(path)
        finally:
            with suppress(OSError):
                sibling.unlink()


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn an OSError about `path` into a UserError that says what is wrong with it."""
    try:
        yield
    except OSError as error:
        if not path.parent.is_dir():
            raise UserError(f"{path}: cannot be written, its folder is gone") from error
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); make room, or mend that"
        ) from error


def make_folder(path: Path) -> Path:
    """Make `path` and the folders above it; UserError where that is not allowed."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: the folder cannot be made ({error.strerror})") from error
    return path


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with replacing(path) as sibling:
        sibling.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The JSON in `path`; UserError when it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: damaged JSON ({error}); delete it and run again") from None


def read_npz(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays in a .npz file; UserError when it is missing or damaged, or holds objects."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        # a pickle could run code; and numpy leaves a damaged file open that it opened itself
        with path.open("rb") as opened:
            file = np.load(opened, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise ValueError("it is one array; name several with numpy.savez")
            with file:
                return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path}: not a readable .npz file ({error})") from None


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write named tensors as safetensors, atomically, with a checksum of what they hold."""
    ready = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with replacing(path) as sibling:
        sibling.write_bytes(save(ready, metadata={CHECKSUM: _checksum(ready)}))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors in a .safetensors file; UserError when missing or damaged.

    Where the file has a checksum (those written here have), what was changed is noticed too.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with safe_open(path, "pt") as file:
            written = (file.metadata() or {}).get(CHECKSUM)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise UserError(f"{path}: not a readable .safetensors file ({error})") from None
    if written not in (None, _checksum(tensors)):
        raise UserError(f"{path}: damaged (its checksum does not fit); delete it and run again")
    return tensors


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    return fingerprint(*(part for name in sorted(tensors) for part in (name, tensors[name])))


def fingerprint(*values: Any) -> str:
    """16 hex digits that name JSON values and tensors; equal values give equal names anywhere."""
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, Tensor):
            digest.update(f"{value.dtype}{tuple(value.shape)}".encode())
            # one view of the bytes, without a copy for what is contiguous
            flat = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(flat.numpy().data)
        else:
            digest.update(json.dumps(value, sort_keys=True).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]
