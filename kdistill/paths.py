"""Where the shipped configs and the shared caches are."""

import os
from pathlib import Path

from platformdirs import user_cache_path

from kdistill.errors import UserError

_PACKAGE = Path(__file__).resolve().parent
CONFIG_DIR = next(
    folder
    for folder in (_PACKAGE / "configs", _PACKAGE.parent / "configs")  # wheel, then checkout
    if folder.is_dir()
)


def cache_folder() -> Path:
    """Trained teachers and stored answers: $KDISTILL_CACHE, else in the user's cache folder."""
    named = os.environ.get("KDISTILL_CACHE")
    return Path(named).expanduser() if named else user_cache_path("kdistill", appauthor=False)


def user_configs() -> list[Path]:
    """Folders of the user's own configs, from KDISTILL_CONFIGS; they win over the shipped ones."""
    named = os.environ.get("KDISTILL_CONFIGS", "").split(os.pathsep)
    folders = [Path(name).expanduser().resolve() for name in named if name]
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"KDISTILL_CONFIGS or --config-dir: there is no folder {folder}")
    return folders
