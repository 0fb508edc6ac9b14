"""RowFile: rows of numbers by position, in a file that grows by blocks and is mapped when read.

Two files: NAME.rows holds the numbers, one row after the other; NAME.safetensors the position of
each row, their kind, and a checksum of every block. The second is replaced once the first is on the
disk, so what an interrupted writer has finished is there for the next.
"""

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from kdistill.artifacts.arrays import read_tensors
from kdistill.artifacts.files import told, write_tensors
from kdistill.artifacts.regular import open_regular
from kdistill.errors import UserError

_PIECE = 1 << 20  # bytes read at once
_DIGEST = 32  # bytes of a SHA-256
_SECONDS = 30.0  # after which what was appended is made to last


class RowFile:
    """The rows of `name` in `folder`; one process at a time writes."""

    def __init__(self, folder: Path, name: str) -> None:
        self.rows_file, self.index_file = folder / f"{name}.rows", folder / f"{name}.safetensors"
        # bytes, since small tensors between the large ones would scatter the memory
        self._index = bytearray()  # [n] int64
        self._counts: list[int] = []  # rows of each block
        self._sums = bytearray()  # [blocks, 32] uint8: SHA-256 of the rows of each
        self._like = torch.zeros(0)  # [0, ...], of the type and shape of the rows

    def read(self, verified: bool = True) -> tuple[Tensor, Tensor]:
        """Positions [n] int64 and rows [n, ...], mapped; none where there is no file.

        verified: hold every block against its checksum. UserError for a file that is damaged.
        """
        if not self.index_file.is_file():
            return torch.zeros(0, dtype=torch.int64), torch.zeros(0)
        about = read_tensors(self.index_file)
        if not _belongs_together(about):
            raise self._damaged("it does not say which rows there are")
        index, self._like = about["index"], about["like"]
        self._index = bytearray(index.numpy().tobytes())
        self._counts = about["counts"].tolist()
        self._sums = bytearray(about["sums"].numpy().tobytes())
        if verified:
            self._check()
        shape = (len(index), *self._like.shape[1:])
        flat = torch.from_file(str(self.rows_file), size=math.prod(shape), dtype=self._like.dtype)
        return index, flat.view(shape)

    def _check(self) -> None:
        """Reads the file piece by piece, so that it need not fit into memory."""
        with open_regular(self.rows_file) as file:
            for place, count in enumerate(self._counts):
                digest, left = hashlib.sha256(), count * self._row_bytes
                while left and (piece := file.read(min(left, _PIECE))):
                    digest.update(piece)
                    left -= len(piece)
                if left or digest.digest() != self._sums[_DIGEST * place : _DIGEST * (place + 1)]:
                    raise self._damaged("its checksum does not fit")

    @property
    def _row_bytes(self) -> int:
        return math.prod(self._like.shape[1:]) * self._like.element_size()

    def _damaged(self, how: str) -> UserError:
        return UserError(f"{self.rows_file}: damaged ({how}); delete it and run again")

    def remove(self) -> None:
        """Whoever has read it keeps what was read."""
        self.index_file.unlink(missing_ok=True)
        self.rows_file.unlink(missing_ok=True)
        self._index, self._counts, self._sums = bytearray(), [], bytearray()

    @contextmanager
    def appending(self) -> Iterator[Callable[[Tensor, Tensor], None]]:
        """Yields `append(index [k] int64, rows [k, ...])`, which adds a block to what was read.

        What was appended lasts, however this ends. UserError when it cannot be written, and for
        rows of another kind than those that are there.
        """
        mode = "r+b" if self.rows_file.exists() else "xb"
        with told(self.rows_file), open(self.rows_file, mode) as file:
            file.seek(sum(self._counts) * self._row_bytes)  # over what no index names
            due = time.monotonic() + _SECONDS

            def append(index: Tensor, rows: Tensor) -> None:
                nonlocal due
                like = torch.empty(0, *rows.shape[1:], dtype=rows.dtype)
                if self._counts and (like.dtype, like.shape) != (
                    self._like.dtype,
                    self._like.shape,
                ):
                    raise self._damaged("its rows are of another kind than these answers")
                content = rows.contiguous().reshape(-1).view(torch.uint8).numpy().data
                file.write(content)
                self._index += index.numpy().tobytes()
                self._counts.append(len(index))
                self._sums += hashlib.sha256(content).digest()
                self._like = like
                if time.monotonic() > due:
                    self._write_index(file)
                    due = time.monotonic() + _SECONDS

            try:
                yield append
            finally:
                if self._counts:
                    self._write_index(file)

    def _write_index(self, file: IO[bytes]) -> None:
        file.flush()
        os.fsync(file.fileno())
        about = {
            "index": torch.frombuffer(self._index.copy(), dtype=torch.int64),
            "counts": torch.tensor(self._counts),
            "sums": torch.frombuffer(self._sums.copy(), dtype=torch.uint8).view(-1, _DIGEST),
            "like": self._like,
        }
        write_tensors(self.index_file, about)


def _belongs_together(about: dict[str, Tensor]) -> bool:
    """Whether what an index file holds may be one."""
    if {*about} != {"index", "counts", "sums", "like"}:
        return False
    index, counts, sums, like = (about[name] for name in ("index", "counts", "sums", "like"))
    if any(each.dtype != torch.int64 or each.ndim != 1 for each in (index, counts)):
        return False
    return (
        bool((index >= 0).all() and (counts > 0).all())
        and sum(counts.tolist()) == len(index) > 0
        and (sums.dtype, sums.shape) == (torch.uint8, (len(counts), _DIGEST))
        and like.is_floating_point()
        and like.shape[:1] == (0,)
        and math.prod(like.shape[1:]) > 0
    )
