"""Nothing is read or written through links inside a run folder or the cache.

The folder that the person at the keyboard names may be a link itself.
"""

import os
from pathlib import Path
from stat import S_ISDIR, S_ISLNK, S_ISREG

from kdistill.errors import UserError


def refuse_link(path: Path) -> None:
    """UserError where `path` is a link, a pipe or a device; a missing one is none of them."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if S_ISLNK(mode):
        raise UserError(
            f"{path}: a link to {os.readlink(path)}; kdistill reads and writes nothing through "
            "links in there, so put a file or a folder in its place"
        )
    if not (S_ISREG(mode) or S_ISDIR(mode)):
        raise UserError(f"{path}: neither a file nor a folder; remove it")


def refuse_links_below(folder: Path) -> None:
    """UserError where `folder`, or anything in it at any depth, is a link, a pipe or a device."""
    refuse_link(folder)
    for path in folder.rglob("*"):
        refuse_link(path)
