"""What memory is left, for what a file of a few bytes may ask for."""

import os
from pathlib import Path

from kdistill.errors import UserError

_ROOM = 0.5  # of the memory that is left: what is read is copied and converted at least once
_MEMINFO, _GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")  # of Linux


def check_room(path: Path, size: int) -> None:
    """UserError where `size` bytes, to which `path` unfolds, take more than half of what is left.

    Zeros that numpy.savez_compressed writes shrink a thousandfold, so no ratio tells a hostile file
    from an honest one; what there is room for does.
    """
    left = free_memory()
    if size > _ROOM * left:
        raise UserError(
            f"{path}: its {os.path.getsize(path) / 1e6:.1f} MB unfold to {size / 1e9:.1f} GB, more "
            f"than half of the {left / 1e9:.1f} GB of memory that are free; give fewer data"
        )


def free_memory() -> float:
    """Bytes that the system says are left; infinity where it says nothing."""
    found = [float("inf")]
    if _MEMINFO.is_file():
        lines = (line.split() for line in _MEMINFO.read_text().splitlines())
        found += [1024 * int(words[1]) for words in lines if words[0] == "MemAvailable:"]
    most, used = _GROUP / "memory.max", _GROUP / "memory.current"
    if most.is_file() and used.is_file() and (limit := most.read_text().strip()) != "max":
        found.append(int(limit) - int(used.read_text()))
    return min(found)
