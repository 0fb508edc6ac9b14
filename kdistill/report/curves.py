"""Training curves: a validation figure and the loss of every stage, epoch by epoch."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from kdistill.artifacts.result import Result
from kdistill.report.charts import COLOURS, DASHES, Chart, draw, label, plain_log
from kdistill.report.comparison import MODELS, title

Curve = tuple[list[int], list[float]]  # epochs, values
# what a teacher says changes the loss, so its height says nothing
UNLIKE = " The two students minimise different losses: compare shapes, not heights."
Curves = dict[str, Curve]  # by stage
STUDENTS = ("student", "baseline")


def training_curves(result: Result, history: list[dict[str, Any]]) -> list[Chart]:
    """Charts of a run's history (lines of history.jsonl); those without values are left out."""
    charts = []
    measure = _shown_measure(history, result.main)
    if validation := series(history, "validation", measure):
        heading = title(measure, result)
        charts.append(_chart("validation", f"{heading} on validation data", heading, validation))
    if losses := series(history, "terms", "total"):
        note = UNLIKE if {"student", "baseline"} <= losses.keys() else ""
        charts.append(_chart("loss", "Training loss", "Total loss", losses, note))
    return charts


def series(history: list[dict[str, Any]], kind: str, name: str) -> Curves:
    """A figure of one kind (terms, validation, training) by stage.

    A resumed run writes an epoch twice: the later line counts.
    """
    found: dict[str, dict[int, float]] = {}
    for line in history:
        value = line.get(kind, {}).get(name)
        if value is not None:
            found.setdefault(str(line["stage"]), {})[int(line["epoch"])] = float(value)
    return {stage: (sorted(v), [v[epoch] for epoch in sorted(v)]) for stage, v in found.items()}


def _shown_measure(history: list[dict[str, Any]], main: str) -> str:
    """The main measure where validation has it, else the first that it has.

    What was watched in training as well has a chart of its own.
    """
    present = dict.fromkeys(name for line in history for name in line.get("validation", {}))
    watched = {name for line in history for name in line.get("training", {})}
    return next((name for name in (main, *present) if name in present.keys() - watched), "")


def _chart(name: str, heading: str, axis: str, curves: Curves, note: str = "") -> Chart:
    def plot(axes: Axes) -> None:
        labelled: set[str] = set()
        for stage, (epochs, values) in sorted(curves.items(), key=_teachers_first):
            _plot_stage(axes, stage, epochs, values, labelled)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label(axis))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if _spread(curves) > 10:
            plain_log(axes.yaxis)
        axes.legend()

    return draw(name, heading, _described(curves) + note, plot)


def _plot_stage(
    axes: Axes, stage: str, epochs: list[int], values: list[float], labelled: set[str]
) -> None:
    model = _model(stage)
    member = model == "teacher"
    label = "_" if model in labelled else _label(stage)
    labelled.add(model)
    mark = "." if len(epochs) == 1 else ""
    width, alpha = (1.3, 0.75) if member else (1.8, 1.0)
    dash, colour = DASHES[model], COLOURS[model]
    axes.plot(epochs, values, dash, marker=mark, color=colour, lw=width, alpha=alpha, label=label)


def _model(stage: str) -> str:
    return stage if stage in MODELS else "teacher"


def _label(stage: str) -> str:
    several = "/" in stage and not stage.endswith("/1")
    return "Teacher's members" if several else MODELS[_model(stage)]


def _teachers_first(item: tuple[str, Curve]) -> tuple[bool, str]:
    return _model(item[0]) != "teacher", item[0]


def _spread(curves: Curves) -> float:
    values = [value for _, series in curves.values() for value in series]
    return max(values) / min(values) if min(values) > 0 else 1.0


def _described(curves: Curves) -> str:
    said = [
        f"{MODELS[stage]}: {values[0]:.4g} after epoch {epochs[0]}, "
        f"{values[-1]:.4g} after epoch {epochs[-1]}"
        for stage in STUDENTS
        if stage in curves
        for epochs, values in [curves[stage]]
    ]
    members = [values[-1] for stage, (_, values) in curves.items() if _model(stage) == "teacher"]
    if len(members) == 1:
        said.append(f"Teacher ends at {members[0]:.4g}")
    elif members:
        said.append(f"Teacher's networks end between {min(members):.4g} and {max(members):.4g}")
    return ". ".join(said) + "."
