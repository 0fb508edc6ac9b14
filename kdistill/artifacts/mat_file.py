"""Reads the numeric arrays of a .mat file of MATLAB 5 to 7, a format of tagged elements.

scipy's reader ends the whole process (SIGSEGV) over some damaged files, and a stranger's file may
be one; this one refuses them. Format: "MAT-File Format", The MathWorks, chapter 1.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdistill.artifacts.archives import DENSEST
from kdistill.artifacts.memory import check_room
from kdistill.artifacts.regular import open_regular
from kdistill.errors import UserError

_MATRIX, _COMPRESSED = 14, 15  # types of elements
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4"}
_NUMBERS |= {7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_NUMERIC = range(6, 16)  # classes of arrays, double to uint64; others are text, cells, sparse ...
_DAMAGE = (ValueError, LookupError, struct.error, zlib.error, MemoryError, RecursionError)
_COMPLEX = 0x0800  # the flag of an array with an imaginary part


def read_mat(path: Path) -> dict[str, NDArray[np.generic]]:
    """Its real arrays by name, of two or more dimensions; other things in it are passed over.

    UserError when the file is damaged, or of MATLAB 4 or 7.3.
    """
    with open_regular(path) as file:
        check_room(path, file.seek(0, 2))
        file.seek(0)
        raw = memoryview(file.read())
    if bytes(raw[124:128]) not in (b"\x00\x01IM", b"\x01\x00MI"):
        raise UserError(
            f"{path}: not a .mat file of MATLAB 5 to 7; write one with save(..., '-v7')"
        )
    order = "<" if bytes(raw[126:128]) == b"IM" else ">"
    try:
        elements = list(_elements(raw[128:], order))
        packed = [body for kind, body in elements if kind == _COMPRESSED]
        check_room(path, len(raw) + sum(_unpacked_size(body, order) for body in packed))
        arrays: dict[str, NDArray[np.generic]] = {}
        for name, array in _arrays(elements, order):
            if name in arrays:
                raise ValueError(f"two arrays are called {name}")
            arrays[name] = array
        return arrays
    except UserError:
        raise
    except _DAMAGE as error:
        said = " ".join(str(error).split())[:200] or "too large"
        raise UserError(f"{path}: not a readable .mat file ({said})") from None


def _arrays(
    elements: Iterable[tuple[int, memoryview]], order: str
) -> Iterator[tuple[str, NDArray[np.generic]]]:
    for kind, body in elements:
        if kind == _COMPRESSED:
            size = _unpacked_size(body, order)
            inner = list(_elements(memoryview(zlib.decompressobj().decompress(body, size)), order))
            if any(kind == _COMPRESSED for kind, _ in inner):
                raise ValueError("it is packed twice")
            yield from _arrays(inner, order)
        elif kind == _MATRIX:
            flags, shape, name, *parts = _elements(body, order)
            about = int(np.frombuffer(flags[1], f"{order}u4")[0])
            if about & 0xFF in _NUMERIC and not about & _COMPLEX:
                ((stored, values),) = parts
                numbers = np.frombuffer(values, order + _NUMBERS[stored])
                sizes = np.frombuffer(shape[1], f"{order}i4").tolist()
                if min(sizes, default=-1) < 0:
                    raise ValueError(f"an array of {sizes}")
                yield bytes(name[1]).decode(), numbers.reshape(sizes, order="F")


def _unpacked_size(body: memoryview, order: str) -> int:
    """Bytes of the element that `body` packs, tag and all; ValueError for more than it can hold."""
    tag = zlib.decompressobj().decompress(body, 8)
    size = 8 + int(struct.unpack(f"{order}II", tag)[1])
    if size > DENSEST * len(body):
        raise ValueError("it cannot be as large as it says")
    return size


def _elements(raw: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """(type, content) of each element in `raw`; ValueError where one is cut short."""
    while raw:
        kind, size = struct.unpack(f"{order}II", raw[:8])
        if kind >> 16:  # a small element: size and type share a word, the content the next
            kind, size, start, end = kind & 0xFFFF, kind >> 16, 4, 8
        else:
            start, end = 8, 8 + size + (0 if kind == _COMPRESSED else -size % 8)
        if len(raw) < start + size:
            raise ValueError("it is cut short")
        yield kind, raw[start : start + size]
        raw = raw[end:]
