"""Draws what models take for what: a matrix each, or the worst pairs of many classes."""

from kdistill.artifacts.figures import Matrix
from kdistill.printable import NAME, printable
from kdistill.report import numbers
from kdistill.report.charts import Chart
from kdistill.report.comparison import MODELS
from kdistill.report.markup import Markup, element, joined
from kdistill.report.page_tables import scrolling

MOST = 40  # names of a matrix that is drawn
NUMBERED = 12  # names up to which a phone has room for numbers of right answers
LONGEST = 12  # letters of a name in a matrix
PAIRS = 12  # rows of the table
FAINTEST, STRONGEST = 10, 55  # % of colour in a cell, on which its number stays legible


def matrices(found: list[Matrix]) -> Markup:
    """Figures side by side; a table where they hold a few of many classes."""
    if not found:
        return Markup()
    if any(len(each.names) < each.classes or len(each.names) > MOST for each in found):
        return _table(found)
    fullest = max((count for each in found for _, _, count in _mistakes(each)), default=1)
    charts = [_drawn(each, fullest) for each in found]
    return element("div", *(chart.figure() for chart in charts), class_="figures")


def _drawn(matrix: Matrix, fullest: int) -> Chart:
    names = [_short(name) for name in matrix.names]
    head = element("tr", element("td"), *(element("th", name) for name in names))
    rows = [
        element("tr", element("th", names[row]), *_cells(row, counts, fullest))
        for row, counts in enumerate(matrix.counts)
    ]
    wide = " wide" if max(map(len, names), default=0) > 2 else ""
    table = element("table", head, *rows, class_=f"confusion {matrix.model}{wide}")
    return Chart(f"{MODELS[matrix.model]}: class against answer", matrix.note, table)


def _short(name: str) -> str:
    name = printable(name, NAME)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _cells(row: int, counts: list[int], fullest: int) -> list[Markup]:
    """Mistakes are filled by how frequent they are; right answers only numbered."""
    return [
        _cell(row == column, count, count / fullest, len(counts) <= NUMBERED)
        for column, count in enumerate(counts)
    ]


def _cell(right: bool, count: int, share: float, numbered: bool) -> Markup:
    if not count:
        return element("td")
    if right:
        return element("td", str(count) if numbered else "", class_="right")
    opacity = FAINTEST + (STRONGEST - FAINTEST) * share
    return element("td", str(count), class_="wrong", style=f"--share: {opacity:.0f}%")


def _mistakes(matrix: Matrix) -> list[tuple[str, str, int]]:
    """(name, taken for, cases), in the order of the names."""
    return [
        (name, matrix.names[column], count)
        for row, name in enumerate(matrix.names)
        for column, count in enumerate(matrix.counts[row])
        if column != row and count
    ]


def _table(found: list[Matrix]) -> Markup:
    """The most frequent mistakes of the models together."""
    by_model = [{(row, column): n for row, column, n in _mistakes(each)} for each in found]
    pairs = dict.fromkeys(pair for counts in by_model for pair in counts)
    worst = sorted(pairs, key=lambda pair: -sum(counts.get(pair, 0) for counts in by_model))
    rows = [
        element(
            "tr",
            element("th", printable(row, NAME), scope="row"),
            element("td", printable(column, NAME)),
            *(element("td", numbers.whole(counts.get((row, column), 0))) for counts in by_model),
        )
        for row, column in worst[:PAIRS]
    ]
    if not rows:
        return element("p", "No model makes a mistake.")
    head = ["Class", "Taken for", *(MODELS[each.model] for each in found)]
    heads = element("tr", *(element("th", text, scope="col") for text in head))
    shown = scrolling(
        "Confused classes", "mistakes", element("thead", heads), element("tbody", *rows)
    )
    note = f"The most frequent mistakes of both models, of {found[0].classes} classes."
    return joined(shown, element("p", note, class_="soft after"))
