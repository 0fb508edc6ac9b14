"""What a sweep prints: its table, which setting is best, what failed, where the page is."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kdistill.printable import NAME, printable
from kdistill.report.plain import plain, written
from kdistill.report.sweep.table import SweepTable


def sweep_terminal(laid: SweepTable, page: Path) -> Group:
    """The renderable that the command line prints when a sweep is summed up."""
    parts: list[RenderableType] = [_table(laid), Text(), plain(laid.verdict, "bold")]
    parts += [plain(answer) for answer in laid.answers[:-1]]
    parts += [plain(how, "dim") for how in laid.answers[-1:]]
    parts += [plain(note, "dim") for note in laid.notes]
    parts += [plain(problem, "bold yellow") for problem in laid.problems]
    parts.append(written(page))
    return Group(*parts)


def _table(laid: SweepTable) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", pad_edge=False)
    for place, heading in enumerate(laid.head):
        key = place < laid.keys
        name = printable(heading, NAME)
        text = name if key else name.replace(" ", "\n", 1)
        table.add_column(Text(text), justify="left" if key else "right", no_wrap=not key)
    for place, row in enumerate(laid.rows):
        cells = [plain(cell) for cell in row]
        table.add_row(*cells, style="bold green" if place == laid.best else "")
    return table
