"""Progress on the console: one bar per stage on a terminal, one plain line per epoch otherwise."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich import progress as bars
from rich.console import Console
from rich.table import Column
from rich.text import Text

from kdistill.events import (
    EpochEnded,
    Event,
    Listener,
    Progress,
    StageEnded,
    StageStarted,
    Warned,
)
from kdistill.printable import NAME, printable

log = logging.getLogger("kdistill")
PAUSE = 0.1  # s between two movements of a bar: drawing must not slow the training


def shown(console: Console) -> AbstractContextManager[Listener]:
    """A listener that shows a run on `console` while the context is open; train.log gets lines."""
    return _bars(console) if console.is_terminal else _lines(console)


def told(event: Event) -> str | None:
    """`event` as one printable line, or None when it says nothing to a reader of lines."""
    line = _line(event)
    return None if line is None else printable(line)


def _line(event: Event) -> str | None:
    if isinstance(event, EpochEnded):
        return f"{event.stage}  epoch {event.epoch}/{event.epochs}  {_figures(event)}"
    if isinstance(event, StageEnded):
        done = "reused" if event.reused else f"done in {event.seconds:.1f} s"
        return f"{event.stage}  {done}" + (f"  {event.note}" if event.note else "")
    if isinstance(event, Warned):
        return f"WARNING: {event.message}"
    return None


def _figures(event: EpochEnded) -> str:
    terms = [f"{name} {value:.4g}" for name, value in event.terms.items()]
    validation = [f"validation {name} {value:.4g}" for name, value in event.validation.items()]
    return "  ".join(
        [*terms, *validation, f"lr {event.learning_rate:.2g}", f"{event.seconds:.1f} s"]
    )


def _brief(event: EpochEnded) -> str:
    """Epoch, validation measures, loss terms: what may be cut off comes last."""
    figures = {**event.validation, **event.terms}
    parts = [f"{name} {value:.4g}" for name, value in figures.items()]
    return "  ".join([f"{event.epoch}/{event.epochs}", *parts])


def _logged(show: Callable[[Event, str | None], None]) -> Listener:
    def listen(event: Event) -> None:
        line = told(event)
        if line is not None:
            log.log(logging.WARNING if isinstance(event, Warned) else logging.INFO, line)
        show(event, line)

    return listen


@contextmanager
def _lines(console: Console) -> Iterator[Listener]:
    def show(event: Event, line: str | None) -> None:
        if line is not None:
            console.print(Text(line, _style(event)), soft_wrap=True)

    yield _logged(show)


@contextmanager
def _bars(console: Console) -> Iterator[Listener]:
    columns = (
        bars.TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(min_width=11, no_wrap=True),
        ),
        bars.BarColumn(16, table_column=Column(min_width=6, max_width=16)),
        bars.TaskProgressColumn(table_column=Column(min_width=4, no_wrap=True)),
        bars.TimeElapsedColumn(table_column=Column(min_width=7, no_wrap=True)),
        bars.TimeRemainingColumn(table_column=Column(min_width=7, no_wrap=True)),
        bars.TextColumn(
            "{task.fields[figures]}",
            markup=False,
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),  # what gives way
        ),
    )
    with bars.Progress(*columns, console=console, expand=True) as drawing:
        yield _logged(_Drawer(drawing).show)


class _Drawer:
    """Moves the bar of each stage, at most once in PAUSE seconds."""

    def __init__(self, drawing: bars.Progress) -> None:
        self.drawing = drawing
        self.bars: dict[str, bars.TaskID] = {}
        self.moved = 0.0  # when a bar last moved

    def show(self, event: Event, line: str | None) -> None:
        if isinstance(event, Warned):
            self.drawing.console.print(Text(line or "", _style(event)))
        elif isinstance(event, Progress):
            if time.monotonic() - self.moved >= PAUSE:
                self.moved = time.monotonic()
                self.drawing.update(self._bar(event.stage), completed=event.steps)
        elif isinstance(event, StageStarted):
            self.drawing.update(self._bar(event.stage), total=event.steps)
        elif isinstance(event, EpochEnded):
            self.drawing.update(self._bar(event.stage), figures=printable(_brief(event)))
        else:
            self._end(event)

    def _bar(self, stage: str) -> bars.TaskID:
        if stage not in self.bars:
            name = printable(stage, NAME)
            self.bars[stage] = self.drawing.add_task(name, total=None, figures="")
        return self.bars[stage]

    def _end(self, event: StageEnded) -> None:
        """Fill the bar; what is reused, or has a note, says so instead of its last figures."""
        bar = self._bar(event.stage)
        note = " ".join(part for part in ("reused" if event.reused else "", event.note) if part)
        total = self.drawing.tasks[bar].total or 1
        self.drawing.update(bar, total=total, completed=total)
        if note:
            self.drawing.update(bar, figures=printable(note))


def _style(event: Event) -> str:
    return "bold yellow" if isinstance(event, Warned) else ""
