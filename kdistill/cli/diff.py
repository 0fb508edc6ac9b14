"""`kdistill diff A B`: in what two runs differ: config, measures, answers to test examples."""

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from kdistill.cli._arguments import Parser
from kdistill.printable import printable

if TYPE_CHECKING:
    from rich.table import Table

    from kdistill.report.diff import Difference, Example, MeasureDifference

MEANINGS = {
    "fixed": "A wrong, B right",
    "broken": "A right, B wrong",
    "changed": "both wrong, otherwise",
}
LEGEND = "index is label: what A's student answers, how surely > what B's does"
KEYS = 12  # of the config, of which so many are printed


def main(argv: list[str]) -> int:
    """Print the differences on one screen."""
    parser = Parser("diff")
    parser.add_argument("one", type=Path, metavar="A", help="folder of a finished run")
    parser.add_argument("other", type=Path, metavar="B", help="folder of another")
    args = parser.parse_args(argv)

    from kdistill.artifacts.run_folder import RunFolder
    from kdistill.cli._screen import screen
    from kdistill.report.diff import diff, read

    found = diff(*(read(RunFolder(path)) for path in (args.one, args.other)))
    print(f"A  {printable(args.one)}\nB  {printable(args.other)}\n")
    for table in (config_table(found), measures_table(found), changes_table(found)):
        screen().print(table)
        print()
    print(LEGEND if found.changes else "no answers to the same examples to compare")
    return 0


def config_table(found: "Difference") -> "Table":
    """The keys that differ, at most KEYS of them."""
    from kdistill.report.sweep.values import canonical

    rows = [[key, canonical(one), canonical(other)] for key, one, other in found.config[:KEYS]]
    if len(found.config) > KEYS:
        rows.append([f"and {len(found.config) - KEYS} more", "", ""])
    return drawn(["config", "A", "B"], rows or [["no key differs", "", ""]], right=())


def measures_table(found: "Difference") -> "Table":
    """Everything about the students, the main measure of the other models."""
    from kdistill.report import numbers
    from kdistill.report.comparison import MODELS

    rows, seen = [], set()
    for each in found.measures:
        if each.model == "student" or each.model not in seen:
            figures = [numbers.measured(m.value, m.unit) for m in (each.one, each.other)]
            p = "" if each.p_value is None else numbers.probability(each.p_value)
            rows.append([MODELS[each.model], each.title, *figures, moved(each), p])
        seen.add(each.model)
    heads = ["model", "measure", "A", "B", "B - A", found.test]
    return drawn(heads, rows, right=(2, 3, 4, 5))


def moved(measure: "MeasureDifference") -> str:
    """B - A with its sign, and whether that is better."""
    from kdistill.report import numbers

    difference = measure.other.value - measure.one.value
    if difference == 0:
        return "same"
    size = numbers.measured(abs(difference), measure.one.unit)
    better = (difference > 0) == (measure.one.better == "higher")
    return f"{'+' if difference > 0 else '-'}{size} {'better' if better else 'worse'}"


def changes_table(found: "Difference") -> "Table":
    """A column for each way in which answers changed: how many, and the first of them."""
    heads = [f"{kind}: {c.count} of {found.tested}" for kind, c in found.changes.items()]
    columns = [
        [MEANINGS[kind], *map(told, change.examples)] for kind, change in found.changes.items()
    ]
    return drawn(heads, [list(cells) for cells in zip_longest(*columns, fillvalue="")], right=())


def told(example: "Example") -> str:
    """'9950 is 3: 5 61% > 3 88%', as LEGEND says."""
    one = f"{example.one} {100 * example.one_probability:.0f}%"
    other = f"{example.other} {100 * example.other_probability:.0f}%"
    return f"{example.index} is {example.label}: {one} > {other}"


def drawn(heads: list[str], rows: list[list[str]], right: tuple[int, ...]) -> "Table":
    """A plain table; the columns numbered in `right` are set to the right."""
    from rich.table import Table

    from kdistill.report.plain import plain

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for place, head in enumerate(heads):
        table.add_column(plain(head), justify="right" if place in right else "left")
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    return table
