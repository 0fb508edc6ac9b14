"""The tables of report.html: the models side by side, what the student saves, the members."""

from kdistill.artifacts.result import Table
from kdistill.report import numbers
from kdistill.report.comparison import Cell, Comparison, Line, Saving
from kdistill.report.markup import Markup, element

SHORT = {"teacher": "teacher", "student": "student"}
SHOWN = {"latency": "latency_1"}  # the cost line behind a saving of another name


def figures_table(compared: Comparison) -> Markup:
    """Measures and costs down the side, the models across."""
    models = [
        element("th", element("span", heading, class_=f"mark {model}"), scope="col")
        for model, heading in compared.models.items()
    ]
    head = element("thead", element("tr", element("td"), *models))
    first, *others = compared.measures
    rows = [_row(first, compared, "main"), *(_row(line, compared, "") for line in others)]
    costs = element("tbody", *(_row(line, compared, "") for line in compared.costs), class_="costs")
    legend = element("p", "Small figures are 95 % intervals.", class_="soft after")
    return Markup(scrolling("Models", "models", head, element("tbody", *rows), costs) + legend)


def savings_cards(compared: Comparison) -> Markup:
    """One card for each factor, with a bar for the teacher and one for the student."""
    cards = [_card(saving, compared) for saving in compared.savings]
    return element("div", *cards, class_="savings") if cards else Markup()


def members_table(compared: Comparison) -> Markup:
    """One row for each network of an ensemble."""
    if not compared.members:
        return Markup()
    heads = list(dict.fromkeys(head for member in compared.members for head in member.figures))
    head = element("tr", element("td"), *(element("th", text, scope="col") for text in heads))
    rows = [
        element(
            "tr",
            element("th", member.title, scope="row"),
            *(element("td", member.figures.get(text, "")) for text in heads),
        )
        for member in compared.members
    ]
    return scrolling("Members", "members", element("thead", head), element("tbody", *rows))


def any_table(shown: Table) -> Markup:
    """A table that a method added, its note below."""
    head = element("tr", *(element("th", text, scope="col") for text in shown.columns))
    rows = []
    for row in shown.rows:
        first, *others = map(numbers.entry, row)
        cells = (element("td", text) for text in others)
        rows.append(element("tr", element("th", first, scope="row"), *cells))
    table = scrolling(shown.title, "added", element("thead", head), element("tbody", *rows))
    note = element("p", shown.note, class_="soft after") if shown.note else ""
    return Markup(table + note)


def scrolling(label: str, kind: str, *parts: str) -> Markup:
    table = element("table", *parts, class_=kind)
    return element("div", table, class_="box", tabindex="0", role="region", aria_label=label)


def _row(line: Line, compared: Comparison, kind: str) -> Markup:
    hint = element("span", line.hint, class_="hint") if line.hint else ""
    cells = [_cell(line.cells.get(model)) for model in compared.models]
    return element("tr", element("th", line.title, hint, scope="row"), *cells, class_=kind)


def _cell(cell: Cell | None) -> Markup:
    if cell is None:
        return element("td")
    interval = cell.interval.replace(" %", "\u00a0%")  # the sign never stands alone on a line
    ends = element("span", interval, class_="ends") if interval else ""
    return element("td", cell.text, ends)


def _card(saving: Saving, compared: Comparison) -> Markup:
    name = SHOWN.get(saving.name, saving.name)
    line = next((line for line in compared.costs if line.name == name), None)
    words = element("p", element("b", saving.factor), f" {saving.phrase}")
    return element("div", words, *(_bars(line) if line else []), class_="saving")


def _bars(line: Line) -> list[Markup]:
    cells = {model: line.cells[model] for model in SHORT if model in line.cells}
    largest = max((cell.value for cell in cells.values()), default=0) or 1
    return [
        element(
            "div",
            element("span", SHORT[model]),
            element("i", style=f"width: {100 * cell.value / largest:.1f}%"),
            element("span", cell.text),
            class_=f"bar {model}",
        )
        for model, cell in cells.items()
    ]
