"""The one door for arrays that may be a stranger's: .npz, .safetensors, and what torch.save writes.

The size that a header declares is held against the size of the file before anything is allocated.
Whatever is wrong with a file is a UserError of one line that names it. No code in a file is run.
"""

import math
import pickle
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile, ZipInfo

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from kdistill.artifacts.archives import opened
from kdistill.artifacts.files import CHECKSUM, checksum
from kdistill.artifacts.memory import check_room
from kdistill.artifacts.pickles import storages
from kdistill.artifacts.regular import open_regular
from kdistill.errors import UserError

_HEADER = 10_000  # bytes of the header of an array, which numpy takes at most
_PICKLES = 5  # of a file of torch before 1.6: magic number, version, system, content, keys
_PACKED = [getattr(torch, "float4_e2m1fn_x2", None)]  # which torch cannot convert
_REMEDY = "; write one with torch.save(model.state_dict(), path)"
# what the libraries raise over bad content
_DAMAGE = (
    *(ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, EOFError, OSError),
    *(MemoryError, SyntaxError, AttributeError, AssertionError, tokenize.TokenError),
    *(struct.error, zlib.error, zipfile.BadZipFile, pickle.PickleError, SafetensorError),
)


def read_npz(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays in a .npz file by name; other members are passed over.

    UserError when it is missing or damaged, holds Python objects or records, or unfolds to more
    than there is memory for.
    """
    with open_regular(path) as file, _readable(path, "a readable .npz file"):
        if file.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX:
            raise ValueError("it is one array; name several with numpy.savez")
        with opened(file) as archive:
            members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
            check_room(path, sum(each.file_size for each in members))
            return {each.filename[: -len(".npy")]: _array(archive, each) for each in members}


def _array(archive: ZipFile, member: ZipInfo) -> NDArray[np.generic]:
    """The array in `member`; ValueError where that is not as large as its header says."""
    with archive.open(member) as file:
        head = BytesIO(file.read(_HEADER))
    version = npy.read_magic(head)
    read_header = npy.read_array_header_1_0 if version[0] == 1 else npy.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy remarks on headers that Python 2 wrote
        shape, _, dtype = read_header(head)
    name = member.filename
    if dtype.hasobject or dtype.names or dtype.subdtype or not dtype.itemsize or version[0] > 2:
        raise ValueError(f"{name} holds objects or records, no plain numbers")
    if min(shape, default=0) < 0 or not head.tell() + math.prod(shape) * dtype.itemsize <= (
        member.file_size
    ):
        raise ValueError(f"{name} does not hold the {list(shape)} numbers that it says")
    with archive.open(member) as file:
        array: NDArray[np.generic] = npy.read_array(file, allow_pickle=False)
    return array


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors in a .safetensors file; UserError when missing or damaged.

    Where the file has a checksum (those written here have), what was changed is noticed too.
    """
    with open_regular(path) as file:
        check_room(path, file.seek(0, 2), copies=1)  # it is mapped
    # it holds every offset against the size of the file
    with _readable(path, "a readable .safetensors file"), safe_open(path, "pt") as file:
        written = (file.metadata() or {}).get(CHECKSUM)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if written not in (None, checksum(tensors)):
        raise UserError(f"{path}: damaged (its checksum does not fit); delete it and run again")
    return tensors


def read_saved(path: Path, verified: bool = False) -> Any:
    """What torch.save wrote: tensors, numbers, texts and containers of them.

    verified: a resume point, of whose zip archive every record is held against its checksum, which
    torch does not. UserError for a missing or damaged file, and for one of other things.
    """
    with (
        open_regular(path) as file,
        _readable(path, "a readable file of plain weights", _REMEDY),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # torch remarks on foreign files before it refuses them
        if not verified:  # a resume point was written where there was room for it
            check_room(path, file.seek(0, 2))
            file.seek(0)
        if file.read(4) == b"PK\3\4":  # as torch tells them apart
            _check_records(file, verified)
        else:
            _check_pickles(file)
        file.seek(0)
        return torch.load(file, map_location="cpu", weights_only=True)


def _check_records(file: BinaryIO, verified: bool) -> None:
    with opened(file) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        if any(member.compress_type for member in archive.infolist()):
            raise ValueError("torch.save does not compress")
        for name in [name for name in sizes if name.endswith("data.pkl")]:
            for key, size in storages(BytesIO(archive.read(name))).items():
                if size > sizes[name.removesuffix("data.pkl") + f"data/{key}"]:
                    raise ValueError(f"record {key} is shorter than its tensors")
        if verified and (damaged := archive.testzip()):
            raise ValueError(damaged)


def _check_pickles(file: BinaryIO) -> None:
    size = file.seek(0, 2)
    file.seek(0)
    if sum(sum(storages(file).values()) for _ in range(_PICKLES)) > size:
        raise ValueError("its tensors are larger than the file")


def oddity(tensor: Tensor) -> str:
    """What keeps `tensor` from being plain numbers one beside the other; "" where it is that."""
    if tensor.is_nested:
        return "nested"
    if tensor.layout != torch.strided:
        return "sparse"
    if tensor.dtype in _PACKED:
        return "packed, two numbers in a byte"
    return "quantised" if tensor.is_quantized else "without values" if tensor.is_meta else ""


@contextmanager
def _readable(path: Path, kind: str, remedy: str = "") -> Iterator[None]:
    """Turn what a library raises over the content of `path` into one line."""
    try:
        yield
    except UserError:
        raise
    except _DAMAGE as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path}: not {kind} ({said}){remedy}") from None
