"""What teacher and student take for what: a matrix each, or the worst pairs of many classes."""

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from kdistill.measures.confusion import confused_pairs, confusion
from kdistill.report import numbers
from kdistill.report.charts import COLOURS, INK, RULE, Chart, draw
from kdistill.report.comparison import MODELS
from kdistill.report.contents import Contents
from kdistill.report.markup import Markup, element, joined
from kdistill.report.page_tables import scrolling

MOST = 20  # classes that a matrix shows
NUMBERED = 12  # classes up to which its cells have room for numbers
PAIRS = 12  # rows of the table
SHOWN = ("teacher", "student")
STRONGEST = 0.55  # opacity of the fullest cell, on which its number stays legible


def confusions(contents: Contents) -> Markup:
    """Figures up to 20 classes, a table above; nothing without predictions."""
    found = {
        model: confusion(contents.predictions[model], contents.predictions["labels"])
        for model in SHOWN
        if model in contents.predictions and "labels" in contents.predictions
    }
    if not found:
        return Markup()
    if len(contents.classes) > MOST:
        return _table(found, contents.classes)
    fullest = max(1, *(pairs[0][2] for each in found.values() if (pairs := confused_pairs(each))))
    charts = [_chart(model, each, contents.classes, fullest) for model, each in found.items()]
    return element("div", *(chart.figure() for chart in charts), class_="figures")


def _chart(model: str, matrix: Tensor, classes: list[str], fullest: int) -> Chart:
    def plot(axes: Axes) -> None:
        for row, counts in enumerate(matrix.tolist()):
            for column, count in enumerate(counts):
                if count:
                    _cell(axes, row, column, count, count / fullest, model, len(classes))
        _frame(axes, classes)

    heading = f"{MODELS[model]}: class against answer"
    return draw(f"confusion-{model}", heading, _described(matrix, classes), plot, (4.6, 4.4))


def _cell(
    axes: Axes, row: int, column: int, count: int, share: float, model: str, classes: int
) -> None:
    """Mistakes are filled by how frequent they are; right answers only numbered."""
    right = row == column
    colour, opacity = (RULE, 0.5) if right else (COLOURS[model], STRONGEST * (0.2 + 0.8 * share))
    corner = (column - 0.5, row - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=colour, alpha=opacity, linewidth=0))
    if classes <= NUMBERED:
        faint = 0.6 if right else 1
        axes.text(
            column, row, str(count), ha="center", va="center", fontsize=8, color=INK, alpha=faint
        )


def _frame(axes: Axes, classes: list[str]) -> None:
    names = [name if len(name) <= 12 else f"{name[:11]}…" for name in classes]
    places = range(len(classes))
    upright = max(map(len, names)) > 2
    axes.set_xticks(places, names, rotation=90 if upright else 0)
    axes.set_yticks(places, names)
    axes.set_xlim(-0.5, len(classes) - 0.5)
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.set_axisbelow(True)
    axes.set_xlabel("answer")
    axes.set_ylabel("class")


def _described(matrix: Tensor, classes: list[str]) -> str:
    cases, wrong = int(matrix.sum()), int(matrix.sum() - matrix.diagonal().sum())
    said = f"{numbers.whole(wrong)} of {numbers.whole(cases)} wrong"
    worst = [
        f"{classes[row]} for {classes[column]} ({numbers.whole(count)})"
        for row, column, count in confused_pairs(matrix)[:3]
    ]
    return f"{said}; most often it takes {', '.join(worst)}." if worst else f"{said}."


def _table(found: dict[str, Tensor], classes: list[str]) -> Markup:
    total = sum(found.values())
    assert isinstance(total, Tensor)
    head = ["Class", "Taken for", *(MODELS[model] for model in found)]
    rows = [
        element(
            "tr",
            element("th", classes[row], scope="row"),
            element("td", classes[column]),
            *(element("td", numbers.whole(int(each[row, column]))) for each in found.values()),
        )
        for row, column, _ in confused_pairs(total)[:PAIRS]
    ]
    if not rows:
        return element("p", "Neither model makes a mistake.")
    heads = element("tr", *(element("th", text, scope="col") for text in head))
    shown = scrolling("Confused classes", "pairs", element("thead", heads), element("tbody", *rows))
    said = f"The most frequent mistakes of both models, of {len(classes)} classes."
    return joined(shown, element("p", said, class_="soft after"))
