"""Where the shipped configs and the shared caches are, and what the environment says of it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kdistill.errors import UserError

_PACKAGE = Path(__file__).resolve().parent
CONFIG_DIR = next(
    folder
    for folder in (_PACKAGE / "configs", _PACKAGE.parent / "configs")  # wheel, then checkout
    if folder.is_dir()
)
_environment: Mapping[str, str] = os.environ  # as the person gave it


def given(name: str) -> str:
    """An environment variable as it was when the command began; "" where it is not set."""
    return _environment.get(name, "")


def given_environment() -> dict[str, str]:
    """The variables that are kdistill's, for a process that is to see the same."""
    return {key: value for key, value in _environment.items() if key.startswith("KDISTILL_")}


@contextmanager
def environment_of(values: Mapping[str, str]) -> Iterator[None]:
    """Inside, `given` reads a copy of `values`, whatever a job's config sets."""
    global _environment
    before, _environment = _environment, dict(values)
    try:
        yield
    finally:
        _environment = before


def cache_folder() -> Path:
    """Trained teachers and stored answers: $KDISTILL_CACHE, else in the user's cache folder."""
    from platformdirs import user_cache_path  # not for every command

    named = given("KDISTILL_CACHE")
    return Path(named).expanduser() if named else user_cache_path("kdistill", appauthor=False)


def user_configs() -> list[Path]:
    """Folders of the user's own configs, from KDISTILL_CONFIGS; they win over the shipped ones."""
    named = os.environ.get("KDISTILL_CONFIGS", "").split(os.pathsep)
    folders = [Path(name).expanduser().resolve() for name in named if name]
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"KDISTILL_CONFIGS or --config-dir: there is no folder {folder}")
    return folders
