"""What a run says while it works: the engine emits events, the command line listens."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class StageStarted:
    """A stage begins: 'teacher 2/5', 'signals', 'student', 'baseline' or 'evaluate'."""

    stage: str
    steps: int | None = None  # how many Progress.steps will follow in all; None: unknown


@dataclass(frozen=True)
class Progress:
    """Some steps of the stage are done."""

    stage: str
    steps: int  # done so far


@dataclass(frozen=True)
class EpochEnded:
    """One pass over the stream, with the mean of every loss term and the validation measures."""

    stage: str
    epoch: int  # 1-based
    epochs: int
    terms: dict[str, float]
    validation: dict[str, float] = field(default_factory=dict)
    learning_rate: float = 0.0
    seconds: float = 0.0
    training: dict[str, float] = field(default_factory=dict)  # figures over its steps' answers


@dataclass(frozen=True)
class StageEnded:
    """A stage is done; `note` says in words what came out or what was reused."""

    stage: str
    seconds: float
    reused: bool = False
    note: str = ""


@dataclass(frozen=True)
class Warned:
    """Something the user must know; the result and the report repeat it."""

    message: str


Event = StageStarted | Progress | EpochEnded | StageEnded | Warned
Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """The listener of a library user who asked for none."""
