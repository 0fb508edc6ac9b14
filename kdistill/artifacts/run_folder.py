"""The run folder: one name for every file of a run, and the history that grows while it works."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdistill.errors import UserError


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

    @property
    def teacher(self) -> Path:
        """Reference to the teacher: {hash, kind, members: [{hash, ...}]}."""
        return self.path / "teacher.json"

    @property
    def predictions(self) -> Path:
        """Test index and labels [n]; probabilities teacher, student, baseline [n, classes]."""
        return self.path / "predictions.safetensors"

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

    def fresh(self) -> "RunFolder":
        """Itself, without what an unfinished run left; UserError when it holds a finished one."""
        if self.result.is_file():
            raise UserError(f"{self.path}: holds a finished run; name another folder, or remove it")
        for file in (
            *(self.failed, self.history, self.teacher, self.predictions),
            *(self.student, self.student_config, self.baseline),
            *(self.report_markdown, self.report_html),
        ):
            file.unlink(missing_ok=True)
        return self

    def finished(self) -> "RunFolder":
        """Itself; UserError when it is not the folder of a finished run."""
        if not self.path.is_dir():
            raise UserError(f"{self.path}: no such run folder")
        if not self.result.is_file():
            why = "the run failed" if self.failed.is_file() else "the run is not finished"
            raise UserError(f"{self.path}: no result.json, {why}")
        return self


def append_line(path: Path, value: dict[str, Any]) -> None:
    """Append `value` as one line of JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(value) + "\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Every whole line of a .jsonl file; a last line that a crash cut short is left out.

    UserError naming the line when another is damaged.
    """
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return [_parsed(line, f"{path}:{at}") for at, line in enumerate(lines, 1) if line]


def _parsed(line: str, place: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise UserError(f"{place}: damaged; it must be a line of JSON, delete it")
    return value
