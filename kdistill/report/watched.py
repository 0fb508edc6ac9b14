"""Charts of what was watched while training: in the steps, and the same on validation data."""

from collections.abc import Callable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from kdistill.artifacts.result import Result
from kdistill.report import numbers
from kdistill.report.charts import COLOURS, DASHES, Chart, draw, label
from kdistill.report.comparison import MODELS, title
from kdistill.report.curves import STUDENTS, Curve, series

MOST = 4  # figures that get a chart
Pairs = dict[str, tuple[Curve, Curve]]  # by student: in training, on validation data


def watched_charts(result: Result, history: list[dict[str, Any]]) -> list[Chart]:
    """A chart for each figure that the history (lines of history.jsonl) has of both students' steps
    and of validation data.

    Those of the steps are of the answers given during the epoch: with dropout and augmentation, by
    weights that still changed.
    """
    charts: list[Chart] = []
    names = dict.fromkeys(name for line in history for name in line.get("training", {}))
    for name in [*names][:MOST]:
        training, held = (series(history, kind, name) for kind in ("training", "validation"))
        pairs = {
            stage: (training[stage], held[stage])
            for stage in STUDENTS
            if stage in training and stage in held
        }
        if pairs:
            heading, unit = title(name, result), _unit(name, result)
            words, plot = _described(pairs, heading, unit), _plot(pairs, heading, unit)
            charts.append(draw(f"watched{len(charts)}", f"{heading} while training", words, plot))
    return charts


def _unit(name: str, result: Result) -> str:
    """Of a measure of that name; "" where there is none."""
    found = (model.measures.get(name) for model in result.models.values() if model)
    return next((measure.unit for measure in found if measure), "")


def _plot(pairs: Pairs, heading: str, unit: str) -> Callable[[Axes], None]:
    """Training thin and crossed, validation thick; dashes and colour are the model's."""
    factor = 100 if unit == "fraction" else 1

    def plot(axes: Axes) -> None:
        for stage, ((epochs, trained), (later, held)) in pairs.items():
            colour, dash = COLOURS[stage], DASHES[stage]
            axes.plot(
                *(epochs, [factor * value for value in trained], dash), color=colour, lw=0.9,
                label=f"{MODELS[stage]}, training",
                marker="x", ms=4, markevery=max(len(epochs) // 12, 1),
            )  # fmt: skip
            axes.plot(
                *(later, [factor * value for value in held], dash), color=colour, lw=1.8,
                label=f"{MODELS[stage]}, validation", marker="." if len(later) == 1 else "",
            )  # fmt: skip
        axes.set_xlabel("epoch")
        axes.set_ylabel(label(f"{heading}, %" if unit == "fraction" else heading))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()

    return plot


def _described(pairs: Pairs, heading: str, unit: str) -> str:
    said = [
        f"{MODELS[stage]}: {numbers.measured(trained[1][-1], unit)} in training and "
        f"{numbers.measured(held[1][-1], unit)} on validation data after epoch {held[0][-1]}"
        for stage, (trained, held) in pairs.items()
    ]
    noun = heading if heading.isupper() else heading.lower()
    return (
        f"{'. '.join(said)}. Training {noun} is that of the answers given in the steps of the "
        f"epoch, validation {noun} that of the weights at its end."
    )
