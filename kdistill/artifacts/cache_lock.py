"""An entry of the cache, and who works in it."""

from pathlib import Path

from filelock import FileLock

from kdistill.artifacts.files import make_folder
from kdistill.artifacts.links import refuse_link, refuse_links_below


def cache_lock(folder: Path) -> FileLock:
    """Make `folder`, an entry of the cache (cache/KIND/NAME), and the lock of who works in it.

    UserError where links stand in their places, or in the folder.
    """
    lock = Path(f"{folder}.lock")
    for path in (folder.parent, lock):
        refuse_link(path)
    refuse_links_below(folder)
    make_folder(folder)
    return FileLock(lock)
