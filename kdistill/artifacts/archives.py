"""Zip archives that may be a stranger's: their directory is held against the size of the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

DENSEST = 1032  # bytes that one byte of a deflated member can stand for


@contextmanager
def opened(file: BinaryIO) -> Iterator[ZipFile]:
    """The archive in `file`; ValueError where its directory cannot be true. Nothing is unpacked."""
    with ZipFile(file) as archive:
        members, size = archive.infolist(), file.seek(0, 2)
        names = {member.filename for member in members}
        if len(names) < len(members):
            raise ValueError("two of its members have one name")
        for member in members:
            if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
                raise ValueError(f"{member.filename} is packed in an unusual way")
            densest = DENSEST if member.compress_type == ZIP_DEFLATED else 1
            if member.file_size > densest * member.compress_size:
                raise ValueError(f"{member.filename} cannot be as large as it says")
        if sum(member.compress_size for member in members) > size:
            raise ValueError("its members are larger than the file")
        yield archive
