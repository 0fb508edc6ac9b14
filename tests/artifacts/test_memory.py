"""Free memory: as the system tells it, and as a container is allowed."""

from pathlib import Path

import pytest

from kdistill.artifacts import memory
from kdistill.errors import UserError

MEMINFO = "MemTotal:       24684100 kB\nMemFree:        1 kB\nMemAvailable:   20000000 kB\n"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of /proc and /sys."""
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    return tmp_path


def contained(system: Path, most: str) -> None:
    (system / "memory.max").write_text(f"{most}\n")
    (system / "memory.current").write_text("3000000000\n")
    (system / "memory.stat").write_text("anon 9\nactive_file 400\ninactive_file 100\n")


def test_the_least_that_anybody_says_is_what_is_left(system: Path) -> None:
    assert memory.free_memory() == float("inf")
    (system / "meminfo").write_text(MEMINFO)
    assert memory.free_memory() == 20_480_000_000
    contained(system, "max")
    assert memory.free_memory() == 20_480_000_000
    contained(system, "4000000000")
    assert memory.free_memory() == 1_000_000_500  # pages of files can be given up


def test_this_system_says_something() -> None:
    assert memory.free_memory() > 1e6


def test_what_is_read_is_copied(system: Path) -> None:
    contained(system, "4000000000")
    memory.check_room(system, 400_000_000)
    memory.check_room(system, 900_000_000, copies=1)
    with pytest.raises(
        UserError, match=r"takes 1\.2 GB of memory, more than the 1 GB that are free"
    ):
        memory.check_room(system, 600_000_000)
