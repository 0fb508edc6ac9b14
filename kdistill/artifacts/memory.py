"""What memory is left, for what a file of a few bytes may ask for."""

from pathlib import Path

from kdistill.errors import UserError

_MEMINFO, _GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")  # of Linux


def check_room(path: Path, size: int, copies: int = 2) -> None:
    """UserError where `copies` times the `size` bytes of `path` are more than the memory left.

    Zeros that numpy.savez_compressed writes shrink a thousandfold, and a sparse file is nothing but
    zeros: no ratio tells a hostile file from an honest one; what there is room for does. What is
    read is copied and converted at least once.
    """
    left = free_memory()
    if copies * size > left:
        raise UserError(
            f"{path}: takes {copies * size / 1e9:.3g} GB of memory, more than the "
            f"{left / 1e9:.3g} GB that are free; give fewer data"
        )


def free_memory() -> float:
    """Bytes that the system says are left, what it could give up of files counted in; infinity
    where it says nothing."""
    found = [float("inf")]
    if _MEMINFO.is_file():
        found.append(1024 * _numbers(_MEMINFO)["MemAvailable:"])
    limit = _GROUP / "memory.max"  # of a container
    if limit.is_file() and (most := limit.read_text().strip()) != "max":
        used, kinds = _GROUP / "memory.current", _numbers(_GROUP / "memory.stat")
        files = kinds["active_file"] + kinds["inactive_file"]
        found.append(int(most) - int(used.read_text()) + files)
    return min(found)


def _numbers(file: Path) -> dict[str, int]:
    """The second word of each line by the first."""
    lines = (line.split() for line in file.read_text().splitlines())
    return {words[0]: int(words[1]) for words in lines}
