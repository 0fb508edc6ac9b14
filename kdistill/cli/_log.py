"""Log lines, warnings, tracebacks and what Hydra prints quote files, too: here printable."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from logging import FileHandler, LogRecord, setLogRecordFactory
from pathlib import Path
from traceback import format_exception
from types import TracebackType
from typing import Any

from kdistill.artifacts.links import refuse_link
from kdistill.errors import UserError
from kdistill.printable import printable

TRACEBACK = 20_000  # characters
SHOWN = warnings.formatwarning  # Python's own


class Line(LogRecord):
    """What a logger of this program writes: Hydra's name the overrides of each job."""

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **words)
        if self.exc_info and self.exc_info[1]:
            self.exc_text = traceback_of(self.exc_info[1])

    def getMessage(self) -> str:
        """The message, its lines and the room that tabs take left as they are."""
        return printable(super().getMessage().expandtabs(), lines=True)


class RunLog(FileHandler):
    """train.log. What would go through a link there, or into a pipe, goes nowhere."""

    def _open(self) -> Any:
        try:
            refuse_link(Path(self.baseFilename))
        except UserError:  # which the command tells
            return open(os.devnull, "w")
        return super()._open()


def traceback_of(error: BaseException) -> str:
    """The traceback of `error`, as Python would print it."""
    return printable("".join(format_exception(error)).rstrip(), TRACEBACK, lines=True)


def print_traceback(
    kind: type[BaseException], error: BaseException, where: TracebackType | None
) -> None:
    """Python's own sys.excepthook, but printable."""
    print(traceback_of(error), file=sys.stderr, flush=True)


def format_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """As Python would show a warning, but printable."""
    return printable(SHOWN(message, category, filename, lineno, line), lines=True)


@contextmanager
def printable_output() -> Iterator[None]:
    """What is printed inside comes out at the end, printable."""
    output = StringIO()
    try:
        with redirect_stdout(output):
            yield
    finally:
        print(printable(output.getvalue().expandtabs(), limit=None, lines=True), end="")


setLogRecordFactory(Line)
warnings.formatwarning = format_warning
