"""What memory is left, for what a file of a few bytes may ask for."""

from pathlib import Path

from kdistill.errors import UserError

_ROOM = 0.5  # of the memory that is left: what is read is copied and converted at least once
_MEMINFO, _GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")  # of Linux


def check_room(path: Path, size: int) -> None:
    """UserError where `size` bytes, which `path` would take, are more than half of what is left.

    Zeros that numpy.savez_compressed writes shrink a thousandfold, and a sparse file is nothing but
    zeros: no ratio tells a hostile file from an honest one; what there is room for does.
    """
    left = free_memory()
    if size > _ROOM * left:
        raise UserError(
            f"{path}: takes {size / 1e9:.3g} GB of memory, more than half of the "
            f"{left / 1e9:.3g} GB that are free; give fewer data"
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
