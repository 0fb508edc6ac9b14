"""What a run ran on: versions, machine and the commit of the user's checkout."""

import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any


def versions() -> dict[str, str]:
    """The versions that trained weights depend on."""
    return {name: version(name) for name in ("kdistill", "torch")}


def environment(device: str) -> dict[str, Any]:
    """Versions, platform, device and command line, as JSON values."""
    packages = ("torchvision", "hydra-core", "numpy")
    return {
        **versions(),
        **{name: version(name) for name in packages},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "device": device,
        "command": sys.argv,
        "commit": _commit(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = [line for line in lines if line.startswith("model name")]
    return models[0].split(":", 1)[1].strip() if models else platform.processor()


def _commit() -> str | None:
    """The commit of the current folder, with + when it has changes; None outside a checkout."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
