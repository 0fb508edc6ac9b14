"""What teacher and student take for what: a matrix each, or the worst pairs of many classes."""

from collections import Counter

from torch import Tensor

from kdistill.measures.confusion import Pair, confused_pairs, confusion, mistakes
from kdistill.report import numbers
from kdistill.report.charts import Chart
from kdistill.report.comparison import MODELS
from kdistill.report.contents import Contents
from kdistill.report.markup import Markup, element, joined
from kdistill.report.page_tables import scrolling

MOST = 20  # classes that a matrix shows
NUMBERED = 12  # classes up to which a phone has room for numbers of right answers
LONGEST = 12  # letters of a class in a matrix
PAIRS = 12  # rows of the table
SHOWN = ("teacher", "student")
FAINTEST, STRONGEST = 10, 55  # % of colour in a cell, on which its number stays legible


def confusions(contents: Contents) -> Markup:
    """Figures up to 20 classes, a table above; nothing without predictions."""
    predictions, classes = contents.predictions, contents.classes
    shown = [model for model in SHOWN if model in predictions and "labels" in predictions]
    if not shown:
        return Markup()
    found = {model: mistakes(predictions[model], predictions["labels"]) for model in shown}
    if len(classes) > MOST:
        return _table(found, classes)
    fullest = max((count for each in found.values() for count in each.values()), default=1)
    charts = [
        _matrix(model, confusion(predictions[model], predictions["labels"]), each, classes, fullest)
        for model, each in found.items()
    ]
    return element("div", *(chart.figure() for chart in charts), class_="figures")


def _matrix(
    model: str, matrix: Tensor, found: Counter[Pair], classes: list[str], fullest: int
) -> Chart:
    names = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in classes]
    head = element("tr", element("td"), *(element("th", name) for name in names))
    rows = [
        element("tr", element("th", names[row]), *_cells(row, counts, fullest))
        for row, counts in enumerate(matrix.tolist())
    ]
    wide = " wide" if max(map(len, names)) > 2 else ""
    table = element("table", head, *rows, class_=f"confusion {model}{wide}")
    return Chart(
        f"{MODELS[model]}: class against answer", _described(matrix, found, classes), table
    )


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


def _described(matrix: Tensor, found: Counter[Pair], classes: list[str]) -> str:
    cases, wrong = int(matrix.sum()), sum(found.values())
    said = f"{numbers.whole(wrong)} of {numbers.whole(cases)} wrong"
    worst = [
        f"{classes[row]} for {classes[column]} ({numbers.whole(count)})"
        for row, column, count in confused_pairs(found)[:3]
    ]
    worst_said = f"; most often it takes {', '.join(worst)}" if worst else ""
    return f"{said}{worst_said}. Down: the class, across: the answer."


def _table(found: dict[str, Counter[Pair]], classes: list[str]) -> Markup:
    total = sum(found.values(), Counter[Pair]())
    head = ["Class", "Taken for", *(MODELS[model] for model in found)]
    rows = [
        element(
            "tr",
            element("th", classes[row], scope="row"),
            element("td", classes[column]),
            *(element("td", numbers.whole(each[row, column])) for each in found.values()),
        )
        for row, column, _ in confused_pairs(total)[:PAIRS]
    ]
    if not rows:
        return element("p", "Neither model makes a mistake.")
    heads = element("tr", *(element("th", text, scope="col") for text in head))
    shown = scrolling(
        "Confused classes", "mistakes", element("thead", heads), element("tbody", *rows)
    )
    said = f"The most frequent mistakes of both models, of {len(classes)} classes."
    return joined(shown, element("p", said, class_="soft after"))
