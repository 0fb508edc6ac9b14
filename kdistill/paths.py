"""Where the shipped configs and the shared caches are."""

import os
from pathlib import Path

from platformdirs import user_cache_path

_PACKAGE = Path(__file__).resolve().parent
CONFIG_DIR = next(
    folder
    for folder in (_PACKAGE / "configs", _PACKAGE.parent / "configs")  # wheel, then checkout
    if folder.is_dir()
)


def cache_folder() -> Path:
    """Folder of trained teachers and stored answers: $KDISTILL_CACHE, else the user's cache folder."""
    named = os.environ.get("KDISTILL_CACHE")
    return Path(named).expanduser() if named else user_cache_path("kdistill", appauthor=False)
