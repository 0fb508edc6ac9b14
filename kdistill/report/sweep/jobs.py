"""The jobs of a sweep as their folders tell them: what was asked of each, and what came of it."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kdistill.artifacts.configs import read_config
from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.artifacts.text import read_json, read_yaml
from kdistill.errors import UserError
from kdistill.report.sweep.values import canonical, value_at


@dataclass(frozen=True)
class Job:
    """One run of a sweep."""

    folder: RunFolder
    overrides: dict[str, str] = field(default_factory=dict)  # key without + or ~: value as text
    config: dict[str, Any] = field(default_factory=dict)
    result: Result | None = None  # of a finished one
    failure: str = ""  # of a failed one: its message and where it stood

    @property
    def state(self) -> str:
        """finished, failed or unfinished."""
        return "finished" if self.result else "failed" if self.failure else "unfinished"

    @property
    def seed(self) -> str:
        return str(self.result.seed) if self.result else self.value("seed")

    @cached_property
    def choices(self) -> dict[str, Any]:
        """Which option of each config group was taken, as Hydra has noted it."""
        file = self.folder.path / ".hydra" / "hydra.yaml"
        noted = value_at(read_config(file), "hydra.runtime.choices") if file.is_file() else {}
        return noted if isinstance(noted, dict) else {}

    def value(self, key: str) -> str:
        """What `key` was in this job: from its words, else its config; '' where it had none."""
        if key in self.overrides:
            return self.overrides[key]
        if key in self.choices:  # a config group
            return str(self.choices[key])
        return canonical(value_at(self.config, key))


def read_jobs(folder: Path) -> list[Job]:
    """A job for each run folder in `folder`, by name; UserError when there is none.

    A run whose files are damaged counts as failed.
    """
    if not holds_runs(folder):
        raise UserError(f"{folder}: holds no runs; give the folder of a sweep (runs/NAME/sweep)")
    return [_read(RunFolder(path)) for path in sorted(folder.iterdir()) if holds_run(path)]


def holds_runs(folder: Path) -> bool:
    """Whether a run was begun in a folder inside `folder`."""
    return folder.is_dir() and any(map(holds_run, folder.iterdir()))


def holds_run(path: Path) -> bool:
    """Whether a run was begun in `path`."""
    kept = RunFolder(path)
    return any(f.is_file() for f in (kept.result, kept.failed, kept.config, _words(path)))


def _words(path: Path) -> Path:
    return path / ".hydra" / "overrides.yaml"


def _read(folder: RunFolder) -> Job:
    overrides: dict[str, str] = {}
    config: dict[str, Any] = {}
    try:
        folder.refuse_links()
        overrides = _overrides(_words(folder.path))
        config = _config(folder)
        result = Result.read(folder.result) if folder.result.is_file() else None
        failure = _failure(folder) if folder.failed.is_file() and result is None else ""
    except UserError as error:
        result, failure = None, str(error)
    return Job(folder, overrides, config, result, failure)


def _overrides(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    words = read_yaml(file)
    if not isinstance(words, list):
        raise UserError(f"{file}: damaged; it must be a list of overrides")
    parts = [str(word).lstrip("+~").partition("=") for word in words]
    return {key: canonical(value) for key, _, value in parts}


def _config(folder: RunFolder) -> dict[str, Any]:
    """With its references resolved, unless the run failed before it was written."""
    composed = folder.path / ".hydra" / "config.yaml"
    files = [file for file in (folder.config, composed) if file.is_file()]
    return read_config(files[0]) if files else {}


def _failure(folder: RunFolder) -> str:
    said = read_json(folder.failed)
    if not isinstance(said, dict):
        return f"{folder.failed}: damaged; it must hold what failed"
    message = " ".join(str(said.get("message", "")).split()) or "no message"
    place = f" (in {said['stage']}, step {said.get('step')})" if said.get("stage") else ""
    return message + place
