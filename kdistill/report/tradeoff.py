"""What quality costs: the main measure of every model against its number of parameters."""

import math

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator

from kdistill.artifacts.result import Measure, ModelResult, Result
from kdistill.report import numbers
from kdistill.report.charts import COLOURS, MARKERS, Chart, draw, label
from kdistill.report.comparison import MODELS, title

SHIFT = {"teacher": 0, "baseline": -0.02, "student": 0.02}  # of the width: same sizes stand apart
NEAR = 0.25  # of the axis between least and greatest size, which a label takes
Point = tuple[int, Measure]  # parameters, main measure
Points = dict[str, Point]  # by model


def tradeoff(result: Result) -> Chart | None:
    """Scatter with 95 % intervals; None unless two models have a cost."""
    points: Points = {
        name: point for name in MODELS if (point := _point(result.models.get(name), result))
    }
    if len(points) < 2:
        return None

    members = _members(result)
    counted = all(measure.unit == "count" for _, measure in points.values())

    def plot(axes: Axes) -> None:
        axes.set_xscale("log")
        sizes = sorted({size for size, _ in [*points.values(), *members]})
        width = max(sizes[-1] / sizes[0], 1.1)
        for name, (size, measure) in points.items():
            _plot_model(axes, name, size * width ** SHIFT[name], measure)
        _plot_members(axes, members)
        ticks = _apart(sizes)
        axes.set_xticks(ticks, [numbers.scaled(size) for size in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlim(sizes[0] * width**-0.3, sizes[-1] * width**0.3)
        axes.margins(y=0.15)
        axes.yaxis.set_major_locator(MaxNLocator(8, integer=counted))
        axes.set_xlabel("parameters")
        axes.set_ylabel(label(title(result.main, result)))
        axes.legend()

    heading = f"{title(result.main, result)} against size"
    return draw("tradeoff", heading, _described(points, members), plot)


def _apart(sizes: list[int]) -> list[int]:
    """Those of ascending `sizes` whose labels do not touch on the axis, the largest first."""
    least = NEAR * math.log(sizes[-1] / sizes[0])
    kept: list[int] = []
    for size in reversed(sizes):
        if not kept or math.log(kept[-1] / size) >= least:
            kept.append(size)
    return kept


def _members(result: Result) -> list[Point]:
    teacher = result.models.get("teacher")
    found = (_point(member, result) for member in (teacher.members if teacher else ()))
    return [point for point in found if point]


def _point(model: ModelResult | None, result: Result) -> Point | None:
    """None where it has no place: a model of no parameters has none on this axis."""
    if model is None or model.cost is None or result.main not in model.measures:
        return None
    size = model.cost.parameters
    return (size, model.measures[result.main]) if size > 0 else None


def _plot_members(axes: Axes, members: list[Point]) -> None:
    """Hollow and without intervals, behind the three models that the run is about."""
    if members:
        sizes, measured = zip(*members, strict=True)
        values = [measure.value for measure in measured]
        colour, mark = COLOURS["teacher"], MARKERS["teacher"]
        label = "Teacher's members"
        axes.scatter(
            sizes, values, s=30, marker=mark, edgecolors=colour, facecolors="none", label=label
        )


def _plot_model(axes: Axes, name: str, size: float, measure: Measure) -> None:
    low, high = measure.interval or (measure.value, measure.value)
    axes.errorbar(
        size,
        measure.value,
        yerr=[[max(0.0, measure.value - low)], [max(0.0, high - measure.value)]],
        fmt=MARKERS[name],
        color=COLOURS[name],
        markersize=7,
        capsize=4,
        label=MODELS[name],
    )


def _described(points: Points, members: list[Point]) -> str:
    said = [
        f"{MODELS[name]}: {numbers.measured(measure.value, measure.unit)} "
        f"with {numbers.scaled(size)} parameters"
        for name, (size, measure) in points.items()
    ]
    if members:
        least, most = (pick(m.value for _, m in members) for pick in (min, max))
        ends = numbers.interval(least, most, members[0][1].unit)
        said.append(f"The teacher's {len(members)} members alone: {ends}")
    return f"{'. '.join(said)}. Bars are 95 % intervals."
