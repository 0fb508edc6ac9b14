"""Mutants of the code, and what the tests say of each."""

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mutation.tests import tests_of

NOTICED = ("killed", "timeout")
COPIED = ("kdistill", "configs", "tests", "scripts", "docs")


@dataclass(frozen=True)
class Mutant:
    """`before` and `after` are the whole `line` (from 1) of `file`, a path from the root."""

    file: str
    line: int
    before: str
    after: str


class Trials:
    """Tries mutants in `copies` of the project, one at a time in each.

    also: files or folders of tests for those that the tests near to them do not notice.
    """

    def __init__(self, copies: Sequence[Path], also: Sequence[str] = ()) -> None:
        self._also = tuple(also)
        self._copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for copy in copies:
            self._copies.put(copy)
        self._known: dict[tuple[str, ...], tuple[list[str], float]] = {}

    def tried(self, mutant: Mutant) -> dict[str, Any]:
        """Its line of JSON."""
        status, seconds = "untested", 0.0
        with self._copy() as copy:
            for tests in (tests_of(mutant.file, copy), self._also):
                if tests and status not in NOTICED:
                    status, took = self._status(mutant, copy, tests)
                    seconds += took
        return {**asdict(mutant), "status": status, "seconds": round(seconds, 1)}

    def _status(self, mutant: Mutant, copy: Path, tests: tuple[str, ...]) -> tuple[str, float]:
        failing, seconds = self._without_mutant(copy, tests)
        words = ["-x", *(f"--deselect={each}" for each in failing), *tests]
        path, started = copy / mutant.file, time.monotonic()
        content = path.read_text(encoding="utf-8")
        lines = content.splitlines()
        if lines[mutant.line - 1] != mutant.before:
            raise ValueError(f"{mutant.file}:{mutant.line} is not {mutant.before.strip()!r}")
        lines[mutant.line - 1] = mutant.after
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        try:
            code, _ = pytest(copy, words, timeout=30 + 3 * seconds)
        finally:
            path.write_text(content, encoding="utf-8")
        status = {None: "timeout", 0: "survived", 5: "untested"}.get(code, "killed")
        return status, time.monotonic() - started

    def _without_mutant(self, copy: Path, tests: tuple[str, ...]) -> tuple[list[str], float]:
        """(tests that fail anyhow, seconds that all take)."""
        if tests not in self._known:
            started = time.monotonic()
            _, output = pytest(copy, ["-rfE", *tests], None)
            failing = re.findall(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", output, re.M)
            self._known[tests] = failing, time.monotonic() - started
        return self._known[tests]

    @contextmanager
    def _copy(self) -> Iterator[Path]:
        copy = self._copies.get()
        try:
            yield copy
        finally:
            self._copies.put(copy)


def pytest(copy: Path, words: Sequence[str], timeout: float | None) -> tuple[int | None, str]:
    """(exit code, output) of pytest in that copy; None for the code after `timeout` seconds."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    # bytecode that is as old as a mutant, to the second, would be taken for the mutant's
    only_sources = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(copy)}
    process = subprocess.Popen(
        command,
        cwd=copy,
        env={**os.environ, **only_sources, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None, ""
    return process.returncode, output


def copied(root: Path, folder: Path) -> Path:
    """`folder`, with the project of `root` in it; the data are linked to."""
    for name in COPIED:
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in root.glob("*.*"):
        if file.is_file():
            shutil.copy(file, folder)
    if (root / "data").exists():
        (folder / "data").symlink_to((root / "data").resolve())
    return folder
