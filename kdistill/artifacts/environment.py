"""What a run ran on: versions, machine and the commit of the user's checkout."""

import os
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kdistill.artifacts.text import read_text
from kdistill.errors import UserError

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # SHA-1, SHA-256
_REFERENCE = re.compile(r"refs(/(?!\.)[^/\0-\x20]+)+")  # no part begins with a dot: no ..


def versions() -> dict[str, str]:
    """The versions that trained weights depend on; kdistill's own code counts by its source."""
    return {"torch": version("torch")}


def environment(device: str) -> dict[str, Any]:
    """Versions, platform, device and command line, as JSON values."""
    packages = ("kdistill", "torchvision", "hydra-core", "numpy")
    return {
        **versions(),
        **{name: version(name) for name in packages},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "device": device,
        "command": sys.argv,
        "commit": commit(Path.cwd()),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = [line for line in lines if line.startswith("model name")]
    return models[0].split(":", 1)[1].strip() if models else platform.processor()


def commit(folder: Path) -> str | None:
    """12 digits of the commit that is checked out in `folder` or above it; None outside a checkout.

    What .git says is read as text, and no git is asked: the settings of a stranger's checkout can
    name programs that git runs.
    """
    for above in (folder, *folder.parents):
        if os.path.exists(above / ".git"):  # False also where that may not be known
            return (_checked_out(above / ".git") or "")[:12] or None
    return None


def _checked_out(entry: Path) -> str | None:
    """HEAD of a checkout; its `entry` is .git, a folder, or a file of a worktree or submodule."""
    home = entry if os.path.isdir(entry) else entry.parent / _line(entry).removeprefix("gitdir: ")
    common = home / _line(home / "commondir")  # of a worktree: where its branches are
    said = _line(home / "HEAD")
    for _ in range(5):  # a reference may name another
        name = said.removeprefix("ref: ")
        if name == said or not _REFERENCE.fullmatch(name):
            break
        said = _line(home / name) or _line(common / name) or _packed(common, name)
    return said if _COMMIT.fullmatch(said) else None


def _packed(common: Path, name: str) -> str:
    lines = (line.partition(" ") for line in _text(common / "packed-refs").splitlines())
    return next((commit for commit, _, reference in lines if reference == name), "")


def _line(file: Path) -> str:
    return _text(file).partition("\n")[0].strip()


def _text(file: Path) -> str:
    """'' where there is no such file, or none that can be read as text."""
    try:
        return read_text(file)
    except UserError:
        return ""
