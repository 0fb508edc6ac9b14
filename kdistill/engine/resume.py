"""Resume points: how often a training's state is written, and how it is found again."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from kdistill import ranks
from kdistill.artifacts.resume_file import read_state, remove_state, write_state
from kdistill.engine import stop
from kdistill.errors import Stopped, UserError

QUESTION = 20  # steps between two times that several processes ask each other
SHARE = 0.01  # of the run's time that writing may take


class Resumable(Protocol):
    """What has a state to go on from."""

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass
class ResumePoint:
    """The state of one training in `path`, written every `every` seconds (> 0), or less often
    where writing would then take more than a hundredth of the time."""

    path: Path
    every: float
    complain: Callable[[str], None]
    cost: float = 0.0  # s that the last writing took
    written: float = field(default_factory=lambda: time.monotonic())  # when it ended

    def load(self) -> dict[str, Any] | None:
        """The state to go on from, if there is one."""
        return read_state(self.path, self.complain)

    def restore(self, training: Resumable) -> None:
        """Let `training` go on from the state, if there is one; UserError for one of another."""
        if not (state := self.load()):
            return
        try:
            training.load_state_dict(state)
        except UserError:
            raise
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise UserError(
                f"{self.path}: is of another training, or damaged ({type(error).__name__}); remove "
                "it, and this one begins anew"
            ) from error

    def due(self, step: int) -> bool:
        """Whether to write now: enough time has passed, or a signal asks to stop.

        Several processes decide together, every QUESTION steps: the first one's clock counts, and
        anybody's signal.
        """
        if ranks.world() == 1:
            return bool(stop.requested()) or self._late()
        if step % QUESTION:
            return False
        return any(ranks.gathered(bool(stop.requested()) or (ranks.first() and self._late())))

    def _late(self) -> bool:
        return time.monotonic() - self.written >= max(self.every, self.cost / SHARE)

    def save(self, state: dict[str, Any]) -> None:
        """Write `state`; raises Stopped after it when a signal asked for that."""
        started = time.monotonic()
        if ranks.first():
            write_state(self.path, state)
        self.written = time.monotonic()
        self.cost = self.written - started
        if asked := max(ranks.gathered(stop.requested())):
            raise Stopped(asked)

    def remove(self) -> None:
        """The training is done and its weights are kept elsewhere."""
        if ranks.first():
            remove_state(self.path)
