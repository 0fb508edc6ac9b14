"""The one exception that means: the person at the keyboard can mend this."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """Says in one line which key or file is wrong, what is allowed and what to do.

    The command line prints it without a traceback and exits with 2.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """'; did you mean a or b?' with the known names nearest to `name`, or '' when none is near."""
    near = get_close_matches(name, list(known), n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""
