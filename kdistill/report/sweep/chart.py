"""Measures over a swept number: a line for each setting of the other keys, with a band."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from kdistill.report import numbers
from kdistill.report.charts import (
    COLOURS,
    DASHES,
    HEIGHT,
    LINES,
    MARKERS,
    Chart,
    draw,
    label,
    plain_log,
)
from kdistill.report.comparison import MODELS
from kdistill.report.sweep.names import settings, short
from kdistill.report.sweep.summary import Row, Spread, Sweep
from kdistill.report.sweep.values import number

APART = 4  # greatest mean over least above which lines would hide each other's shape
DECADE = 10  # greatest value over least from which the axis is logarithmic
NARROW = 24  # letters of a name up to which two stand side by side in the legend
ROW = 0.17  # inches of a row of the legend
STYLES = [(colour, *form) for form in (("-", "o"), ("--", "s"), (":", "^")) for colour in LINES]


@dataclass(frozen=True)
class Line:
    """One curve: what it is called, how it is drawn, and a spread at each value of the key."""

    label: str
    style: tuple[str, str, str]  # colour, dashes, marker
    points: dict[float, Spread]


def sweep_charts(sweep: Sweep) -> list[Chart]:
    """Charts of the main and the second measure for each key that takes two numbers or more."""
    charts = []
    for place, key in enumerate(short(sweep.keys)):
        for at, measure in enumerate(dict.fromkeys(filter(None, (sweep.main, sweep.second)))):
            lines = _lines(sweep, measure, place)
            values = sorted({value for line in lines for value in line.points})
            if len(values) > 1:
                heading = sweep.title(measure)
                charts.append(_chart(heading, f"sweep{place}x{at}", key, lines, values))
    return charts


def _lines(sweep: Sweep, measure: str, place: int) -> list[Line]:
    """Of the student for each setting of the other keys; of all models where there is but one."""
    found = settings(sweep, place)
    if list(found) == [""]:
        styles = {model: (COLOURS[model], DASHES[model], MARKERS[model]) for model in MODELS}
        lines = [_line(MODELS[m], styles[m], found[""], m, measure, place) for m in MODELS]
    else:
        lines = [
            _line(setting, STYLES[at % len(STYLES)], rows, "student", measure, place)
            for at, (setting, rows) in enumerate(found.items())
        ]
    return [line for line in lines if line.points]


def _line(
    name: str, style: tuple[str, str, str], rows: list[Row], model: str, measure: str, place: int
) -> Line:
    points = {}
    for row in rows:
        value, spread = number(row.values[place]), row.spread(model, measure)
        if value is not None and spread:
            points[value] = spread
    return Line(name, style, dict(sorted(points.items())))


def _chart(heading: str, name: str, key: str, lines: list[Line], values: list[float]) -> Chart:
    columns = 2 if all(len(line.label) <= NARROW for line in lines) else 1
    height = HEIGHT + ROW * max(0, len(lines) // columns - 2)

    def plot(axes: Axes) -> None:
        for line in lines:
            _plot_line(axes, line)
        if values[0] > 0 and values[-1] / values[0] >= DECADE:
            axes.set_xscale("log")
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(label(key))
        axes.set_ylabel(label(heading))
        if _least_to_greatest(lines) > APART:
            plain_log(axes.yaxis)
        # above: curves go anywhere
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns)

    return draw(name, f"{heading} over {key}", _described(lines, key), plot, height)


def _least_to_greatest(lines: list[Line]) -> float:
    """By which factor the means differ; 1 where one is 0."""
    means = [spread.mean for line in lines for spread in line.points.values()]
    return max(means) / min(means) if min(means) > 0 else 1.0


def _plot_line(axes: Axes, line: Line) -> None:
    colour, dash, mark = line.style
    means = [spread.mean for spread in line.points.values()]
    name = label(line.label)
    axes.plot(list(line.points), means, dash, marker=mark, ms=4, color=colour, label=name)
    banded = {x: s for x, s in line.points.items() if s.deviation is not None}
    low, high = (
        [s.mean + sign * (s.deviation or 0.0) for s in banded.values()] for sign in (-1, 1)
    )
    axes.fill_between(list(banded), low, high, color=colour, alpha=0.15, lw=0)


def _described(lines: list[Line], key: str) -> str:
    said = [
        f"{line.label}: "
        + ", ".join(
            f"{numbers.spread(spread.mean, spread.deviation, spread.unit)} at {value:g}"
            for value, spread in line.points.items()
        )
        for line in lines
    ]
    bands = any(s.deviation is not None for line in lines for s in line.points.values())
    after = " Bands are mean ± deviation over seeds." if bands else ""
    return f"By {key}: {'. '.join(said)}.{after}"
