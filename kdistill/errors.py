"""What ends a run: a mistake that the person at the keyboard can mend, or a signal to stop."""

import errno
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class UserError(ValueError):
    """Says in one line which key or file is wrong, what is allowed and what to do.

    The command line prints it without a traceback and exits with 2.
    """


@contextmanager
def long_names() -> Iterator[None]:
    """A name that is longer than names of files can be is the mistake of who gave it: UserError."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise UserError(f"{error.filename}: no such file, its name is too long") from error


class Occupied(UserError):
    """A folder belongs to another run, which must stay as it is."""


class ProcessesFailed(Exception):
    """One of several processes of a run failed, and has told why; the argument is its exit code."""


class Stopped(BaseException):
    """A signal has ended the run; what is computed is kept. Not an Exception: nobody mends it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number

    def __str__(self) -> str:
        return f"stopped by {signal.Signals(self.args[0]).name}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """'; did you mean a or b?' with the known names nearest to `name`, or '' when none is near."""
    near = get_close_matches(name, list(known), n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""
