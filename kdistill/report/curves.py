"""Training curves: validation measure and loss of every stage, epoch by epoch."""

from collections.abc import Callable
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
WHEN = (
    "Training accuracy is that of the answers given in the steps of the epoch, "
    "validation accuracy that of the weights at its end."
)


def training_curves(history: list[dict[str, Any]], main: str) -> list[Chart]:
    """Charts of a run's history (lines of history.jsonl); those without values are left out."""
    charts = []
    measure = _shown_measure(history, main)
    validation = _curves(history, "validation", measure)
    if validation:
        heading = f"{title(measure)} on validation data"
        charts.append(_chart("validation", heading, title(measure), validation))
    if losses := _curves(history, "terms", "total"):
        note = UNLIKE if {"student", "baseline"} <= losses.keys() else ""
        charts.append(_chart("loss", "Training loss", "Total loss", losses, note))
    return charts


def accuracy_curves(result: Result, history: list[dict[str, Any]]) -> Chart | None:
    """Training beside validation accuracy of both students; None where either was not measured.

    The training accuracy is that of the answers given during the epoch's steps: with dropout and
    augmentation, by weights that still changed.
    """
    training = _curves(history, "training", "accuracy")
    validation = _curves(history, "validation", "errors")
    lines: dict[str, tuple[Curve, Curve]] = {}
    for stage in STUDENTS:
        model = result.models.get(stage)
        held = model.validation.get("errors") if model else None
        if held and stage in training and stage in validation:
            epochs, errors = validation[stage]
            lines[stage] = training[stage], (epochs, [1 - value / held.n for value in errors])
    return (
        draw("accuracy", "Accuracy while training", _told(lines), _plot(lines)) if lines else None
    )


def _plot(lines: dict[str, tuple[Curve, Curve]]) -> Callable[[Axes], None]:
    """Training thin and crossed, validation thick; dashes and colour are the model's."""

    def plot(axes: Axes) -> None:
        for stage, pair in lines.items():
            named, colour, dash = MODELS[stage], COLOURS[stage], DASHES[stage]
            (epochs, trained), (later, held) = pair
            often = max(len(epochs) // 12, 1)
            shown = [100 * value for value in trained]
            label = f"{named}, training"
            axes.plot(
                *(epochs, shown, dash), color=colour, lw=0.9, label=label,
                marker="x", ms=4, markevery=often,
            )  # fmt: skip
            mark, shown = "." if len(later) == 1 else "", [100 * value for value in held]
            label = f"{named}, validation"
            axes.plot(later, shown, dash, color=colour, lw=1.8, label=label, marker=mark)
        axes.set_xlabel("epoch")
        axes.set_ylabel("Accuracy, %")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()

    return plot


def _told(lines: dict[str, tuple[Curve, Curve]]) -> str:
    said = [
        f"{MODELS[stage]}: {100 * trained[1][-1]:.2f} % of the training and "
        f"{100 * held[1][-1]:.2f} % of the validation examples after epoch {held[0][-1]}"
        for stage, (trained, held) in lines.items()
    ]
    return f"{'. '.join(said)}. {WHEN}"


def _shown_measure(history: list[dict[str, Any]], main: str) -> str:
    """The main measure where the history has it, else errors, else the first there is."""
    present = dict.fromkeys(name for line in history for name in line.get("validation", {}))
    return next((name for name in (main, "errors", *present) if name in present), "")


def _curves(history: list[dict[str, Any]], kind: str, name: str) -> Curves:
    """A resumed run writes an epoch twice: the later line counts."""
    found: dict[str, dict[int, float]] = {}
    for line in history:
        value = line.get(kind, {}).get(name)
        if value is not None:
            found.setdefault(str(line["stage"]), {})[int(line["epoch"])] = float(value)
    return {stage: (sorted(v), [v[epoch] for epoch in sorted(v)]) for stage, v in found.items()}


def _chart(name: str, heading: str, axis: str, curves: Curves, note: str = "") -> Chart:
    def plot(axes: Axes) -> None:
        labelled: set[str] = set()
        for stage, (epochs, values) in sorted(curves.items(), key=_teachers_first):
            _plot_stage(axes, stage, epochs, values, labelled)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label(axis))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if _spread(curves) > 10:
            plain_log(axes)
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
