"""The run folder: a name for every file of a run, who may work in it, and its growing history."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from torch import Tensor

from kdistill.artifacts.configs import first_difference, read_config
from kdistill.artifacts.files import make_folder, told, write_tensors
from kdistill.artifacts.links import refuse_link, refuse_links_below
from kdistill.artifacts.records import read_kept
from kdistill.artifacts.text import LINE
from kdistill.errors import Occupied, UserError

KEPT = ".safetensors"  # the ending of what a task keeps


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps what it made. `result.json` comes last: its presence means finished."""

    path: Path

    @property
    def config(self) -> Path:
        """The composed config, every reference resolved."""
        return self.path / "config.yaml"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def history(self) -> Path:
        """A line of JSON an epoch: the fields of events.EpochEnded."""
        return self.path / "history.jsonl"

    @property
    def student(self) -> Path:
        return self.path / "student.safetensors"

    @property
    def student_config(self) -> Path:
        """What builds the module that student.safetensors and baseline.safetensors fit into."""
        return self.path / "student.yaml"

    @property
    def baseline(self) -> Path:
        return self.path / "baseline.safetensors"

    def weights(self, model: str) -> Path:
        """Of the "student" or the "baseline"."""
        return {"student": self.student, "baseline": self.baseline}[model]

    @property
    def teacher(self) -> Path:
        """Reference to the teacher: {hash, kind, members: [{hash, ...}]}."""
        return self.path / "teacher.json"

    def kept(self, name: str) -> Path:
        """What a task keeps of the models' answers under that name of small letters."""
        if not re.fullmatch("[a-z_]+", name):
            raise UserError(f"{self.path}: no run keeps a file named {name!r}")
        return self.path / f"{name}{KEPT}"

    def keep(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Write `kept(name)`; a run that fails after that leaves a note of it."""
        make_folder(self.work)
        append_line(self._notes, {"name": name})
        write_tensors(self.kept(name), tensors)

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    @property
    def failed(self) -> Path:
        """{message, stage, step} of a run that did not finish."""
        return self.path / "failed.json"

    @property
    def report_markdown(self) -> Path:
        return self.path / "report.md"

    @property
    def report_html(self) -> Path:
        return self.path / "report.html"

    @property
    def work(self) -> Path:
        """A folder of what an unfinished run goes on from; removed when the run is finished."""
        return self.path / "resume"

    @property
    def stages(self) -> Path:
        """A line of JSON for each stage that has ended: {stage, seconds}."""
        return self.work / "stages.jsonl"

    @property
    def signals(self) -> Path:
        """What the teacher was asked, for the report of a run that was interrupted after that."""
        return self.work / "signals.json"

    @property
    def _notes(self) -> Path:
        """A line of JSON for each file that was kept: {name}."""
        return self.work / "kept.jsonl"

    @property
    def warnings(self) -> Path:
        """A line of JSON for each warning told: {message}."""
        return self.work / "warnings.jsonl"

    @property
    def lock(self) -> Path:
        """Held by the process that works in the folder."""
        return self.path / ".lock"

    @property
    def log(self) -> Path:
        return self.path / "train.log"

    @property
    def words(self) -> Path:
        """A folder: the composed config, Hydra's own, and the words that the person typed."""
        return self.path / ".hydra"

    def refuse_links(self) -> None:
        """UserError where a name that a run uses here is a link, a pipe or a device."""
        names = [name for name, value in vars(RunFolder).items() if isinstance(value, property)]
        for path in (*(getattr(self, name) for name in names), *self.path.glob(f"*{KEPT}")):
            refuse_link(path)
        for folder in (self.work, self.words):
            refuse_links_below(folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Work alone in the folder, which is made; Occupied while another process works there."""
        make_folder(self.path)
        self.refuse_links()
        lock = FileLock(self.lock, timeout=0)
        with told(self.lock):
            try:
                lock.acquire()
            except Timeout:
                raise Occupied(
                    f"{self.path}: another process works on this run; wait for it, or name "
                    "another folder (hydra.run.dir=FOLDER)"
                ) from None
        try:
            yield
        finally:
            lock.release()

    def holds(self, config: Mapping[str, Any]) -> bool:
        """Whether the run of `config` lies here, finished or not. Device and cache may differ.

        Occupied when a run of another config does; one that has failed is out of the way.
        UserError for links in it.
        """
        self.refuse_links()
        if not self.config.is_file() or not config:
            other = not config and self.config.is_file() and read_config(self.config)
            if self.result.is_file() or other:
                raise Occupied(
                    f"{self.path}: holds a{' finished' if self.result.is_file() else ''} run; "
                    "name another folder, or remove it"
                )
            return False
        differs = first_difference(read_config(self.config), config)
        if differs and not (self.failed.is_file() and not self.result.is_file()):
            raise Occupied(
                f"{self.path}: holds a run of another config ({differs}); name another folder, "
                "or remove it"
            )
        return not differs

    def begin(self, config: Mapping[str, Any]) -> None:
        """Make ready to start the run of `config`, or to go on with it; Occupied as `holds`."""
        if self.holds(config):
            mend(self.history)
            mend(self.stages)
            mend(self.warnings)
        else:
            self._clear()
        self.failed.unlink(missing_ok=True)
        for folder in (self.path, self.words, self.work):
            for half_written in folder.glob(".*.tmp"):
                half_written.unlink()
        make_folder(self.work)

    def _clear(self) -> None:
        kept = [each.name for each in read_kept(self._notes)]
        for file in (
            *(self.history, self.teacher, self.config, *map(self.kept, kept)),
            *(self.student, self.student_config, self.baseline),
            *(self.report_markdown, self.report_html),
        ):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def end(self) -> None:
        """Remove what only an unfinished run needs."""
        shutil.rmtree(self.work, ignore_errors=True)

    def finished(self) -> "RunFolder":
        """Itself; UserError when it is not the folder of a finished run, or has links in it."""
        if not self.path.is_dir():
            raise UserError(f"{self.path}: no such run folder")
        self.refuse_links()
        if not self.result.is_file():
            why = "the run failed" if self.failed.is_file() else "the run is not finished"
            raise UserError(f"{self.path}: no result.json, {why}")
        return self


def append_line(path: Path, value: dict[str, Any]) -> None:
    """Append `value` as one line of JSON; UserError when the folder is gone or the disk full."""
    with told(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(value) + "\n")
        file.flush()
        os.fsync(file.fileno())


def mend(path: Path) -> None:
    """Cut off a last line of a .jsonl file that a crash cut short: the next must stand alone."""
    if not path.is_file():
        return
    with told(path), path.open("r+b") as file:
        begin = max(file.seek(0, os.SEEK_END) - LINE, 0)  # a line is no longer
        file.seek(begin)
        end = file.read()
        if not end.endswith(b"\n"):
            file.truncate(begin + end.rfind(b"\n") + 1)
