"""Where the commands draw: no text is read as markup, as an emoji code or for highlights."""

from rich.console import Console


def screen(quiet: bool = False) -> Console:
    """A console on stdout that shows every string letter by letter."""
    return Console(markup=False, highlight=False, emoji=False, quiet=quiet)
