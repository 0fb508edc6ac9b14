"""Every file that matters is written here: to a temporary sibling, flushed, then renamed."""

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
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
        sibling.unlink(missing_ok=True)  # a link of this name would be written through
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


def finite(value: Any) -> Any:
    """JSON values with NaN and infinity, which a config may hold, as texts."""
    if isinstance(value, Mapping):
        return {name: finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write named tensors as safetensors, atomically, with a checksum of what they hold."""
    ready = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with replacing(path) as sibling:
        sibling.write_bytes(save(ready, metadata={CHECKSUM: checksum(ready)}))


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """Names the tensors and what they hold; see CHECKSUM."""
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
