"""Draws the curves of a result: a line for each model, with its band and its marks."""

from matplotlib.axes import Axes

from kdistill.artifacts.figures import Curves, Line, Mark
from kdistill.printable import NAME, printable
from kdistill.report.charts import (
    COLOURS,
    DASHES,
    INK,
    MARKERS,
    PAPER,
    Chart,
    draw,
    label,
    plain_log,
)

MOST = 20  # charts that are drawn, and lines of each


def line_charts(curves: list[Curves]) -> list[Chart]:
    """A chart for each."""
    return [_chart(each, f"lines{place}") for place, each in enumerate(curves[:MOST])]


def _chart(curves: Curves, name: str) -> Chart:
    def plot(axes: Axes) -> None:
        for line in curves.lines[:MOST]:
            _plot_line(axes, line)
        for mark in curves.marks[:MOST]:
            _plot_mark(axes, mark)
        if curves.log:
            plain_log(axes.xaxis)
        axes.set_xlabel(label(curves.x))
        axes.set_ylabel(label(curves.y))
        if axes.get_legend_handles_labels()[1]:
            axes.legend(loc="best")

    return draw(name, printable(curves.title, NAME), curves.note, plot)


def _plot_line(axes: Axes, line: Line) -> None:
    """Thin where it is no model's, solid inside a band; points of many cases are large."""
    name = label(line.label)
    if not line.model:
        axes.plot(line.x, line.y, color=INK, lw=0.8, alpha=0.5, label=name)
        return
    colour, dash = COLOURS[line.model], DASHES[line.model]
    if line.low is not None and line.high is not None:
        band = label(line.band)
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.18, lw=0, label=band)
        dash = "-"
    if line.cases is None:
        axes.plot(line.x, line.y, dash, color=colour, lw=1.7, label=name)
        return
    largest = max(line.cases, default=0) or 1
    axes.plot(line.x, line.y, dash, color=colour, lw=1.2, alpha=0.8)
    axes.scatter(
        line.x, line.y, s=[12 + 60 * cases / largest for cases in line.cases],
        marker=MARKERS[line.model], color=colour, edgecolors=PAPER, linewidths=0.8, label=name,
        zorder=3,
    )  # fmt: skip


def _plot_mark(axes: Axes, mark: Mark) -> None:
    colour, marker = (COLOURS[mark.model], MARKERS[mark.model]) if mark.model else (INK, ".")
    axes.axvline(mark.x, color=colour, lw=1, ls=":")
    axes.scatter(
        [mark.x], [mark.y], s=48, marker=marker, color=colour, edgecolors=PAPER, linewidths=0.8,
        zorder=3,
    )  # fmt: skip
    axes.annotate(
        label(mark.label), (mark.x, mark.y), (5, -11), textcoords="offset points", fontsize=8.5
    )
