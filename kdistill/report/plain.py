"""Text of a run folder for a terminal: Rich reads no markup in it."""

from pathlib import Path

from rich.text import Text

from kdistill.printable import printable


def plain(text: object, style: str = "") -> Text:
    """`text` on one line, as printable() shows it."""
    return Text(printable(text), style)


def written(page: Path) -> Text:
    """Where the report is; no line ends inside the path, so that it can be copied."""
    return Text(f"report: {printable(page)}", overflow="ignore", no_wrap=True)
