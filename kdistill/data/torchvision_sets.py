"""Finds the files that torchvision's data sets consist of, or downloads them with its checksums."""

import logging
import socket
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from filelock import FileLock

from kdistill.errors import UserError

_log = logging.getLogger("kdistill")
_TIMEOUT = 10  # seconds without a byte, then the network counts as absent
# what a download that fails may raise
_BROKEN = (OSError, RuntimeError, EOFError, HTTPException, tarfile.TarError, zlib.error)


@dataclass(frozen=True)
class Archive:
    """The files of one data set: where they lie, and how torchvision fetches them."""

    title: str  # as people say it
    path: Path  # what the user named: dataset.path
    folder: Path  # the folder below it that holds the files
    files: tuple[str, ...]  # their names, or a pattern such as 7_*.wav for some of them
    download: Callable[[], object]  # fetches what is missing and verifies its checksums
    remedy: str = ""  # what else can be done, beyond putting the files there

    def missing(self) -> list[str]:
        """The names of the files that are not there, and the patterns that fit none."""
        return [name for name in self.files if not any(map(Path.is_file, self.folder.glob(name)))]


def check_source(source: str, allowed: tuple[str, ...]) -> None:
    """Raises ValueError unless `source` is one of `allowed`."""
    if source not in allowed:
        raise ValueError(f"source must be one of {', '.join(allowed)}, got {source!r}")


def expected(archive: Archive, source: str) -> str:
    """Where the data would come from, `files` or `download`; UserError when files must be there."""
    if not archive.missing():
        return "files"
    if source == "files":
        raise UserError(_absent(archive, "dataset.source=files", "dataset.source=download"))
    return "download"


def obtain(archive: Archive, source: str) -> str:
    """As expected(), having fetched what is missing; UserError when that fails."""
    if expected(archive, source) == "files":
        return "files"
    _log.info("%s: downloading into %s", archive.title, archive.path.absolute())
    try:
        archive.path.mkdir(parents=True, exist_ok=True)
        with FileLock(archive.path / ".download.lock"), _patience(), redirect_stdout(sys.stderr):
            if archive.missing():  # jobs side by side download once
                archive.download()
    except _BROKEN as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(_absent(archive, f"the download failed ({reason})")) from error
    if archive.missing():
        raise UserError(_absent(archive, "the download did not bring them"))
    return "download"


def _absent(archive: Archive, why: str, remedy: str = "") -> str:
    names = ", ".join(archive.missing())
    remedies = " or ".join(filter(None, [remedy, archive.remedy]))
    below = archive.folder.relative_to(archive.path)
    where = f"the folder that holds {below}" if below.name else "the folder that holds them"
    return (
        f"{archive.title}: {archive.folder.absolute()} lacks {names}, and {why}; "
        f"put the files there, or name {where} with dataset.path=FOLDER"
        + (f", or use {remedies}" if remedies else "")
    )


@contextmanager
def _patience() -> Iterator[None]:
    """A limit on silence: torchvision's download sets none and would wait for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def refuse_damaged(archive: Archive, checksums: dict[str, str]) -> None:
    """UserError naming the first file whose md5 is not the published one."""
    from torchvision.datasets.utils import check_integrity  # torchvision takes seconds to import

    for name, md5 in checksums.items():
        if not check_integrity(archive.folder / name, md5):
            raise UserError(
                f"{archive.folder.absolute() / name}: damaged (its md5 is not {md5}); "
                "delete it and run again with dataset.source=download"
            )
