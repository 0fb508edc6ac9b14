"""What a run writes down while it works, held to its kinds when it is read again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kdistill.artifacts.text import read_json, read_json_lines
from kdistill.artifacts.typed import typed
from kdistill.errors import UserError
from kdistill.events import EpochEnded, StageEnded, Warned

Record = TypeVar("Record")


@dataclass(frozen=True)
class Asked:
    """About how many inputs a teacher was asked, and how many answers were stored before."""

    asked: int
    reused: int


@dataclass(frozen=True)
class Kept:
    """A file of what models answer, by its name without an ending."""

    name: str


def read_history(file: Path) -> list[EpochEnded]:
    """The epochs in history.jsonl, in the order they were written; its figures may be NaN."""
    return _lines(EpochEnded, file, finite=False)


def read_stages(file: Path) -> list[StageEnded]:
    """The stages that have ended, in stages.jsonl."""
    return _lines(StageEnded, file)


def read_warnings(file: Path) -> list[Warned]:
    """The warnings told so far, in warnings.jsonl."""
    return _lines(Warned, file)


def read_kept(file: Path) -> list[Kept]:
    """What a task has kept so far, in kept.jsonl."""
    return _lines(Kept, file)


def read_asked(file: Path) -> Asked:
    """signals.json."""
    return _held(Asked, read_json(file), str(file), "delete it and run again")


def read_seconds(file: Path) -> float:
    """How long it took to make what a description in the cache is about."""
    about = _held(dict[str, Any], read_json(file), str(file), "delete it")
    return _held(float, about.get("seconds"), str(file), "delete it")


def _lines(kind: type[Record], file: Path, finite: bool = True) -> list[Record]:
    """UserError naming the first line of another kind."""
    lines = read_json_lines(file, finite)
    return [_held(kind, line, f"{file}:{at}", "delete it") for at, line in enumerate(lines, 1)]


def _held(kind: type[Record], value: Any, place: str, remedy: str) -> Record:
    try:
        record: Record = typed(kind, value, "")
    except (TypeError, ValueError) as error:
        raise UserError(f"{place}: damaged ({error}); {remedy}") from None
    return record
