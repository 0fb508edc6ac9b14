"""Reliability diagram: how often each model is right when it claims a given confidence."""

from matplotlib.axes import Axes
from torch import Tensor

from kdistill.measures.calibration import reliability
from kdistill.report.charts import COLOURS, DASHES, INK, MARKERS, PAPER, Chart, draw
from kdistill.report.comparison import MODELS

FEW = 5  # a bin with fewer cases says too little to draw
Bin = tuple[float, float, int]  # mean confidence, share right, cases


def reliability_diagram(predictions: dict[str, Tensor], bins: int) -> Chart | None:
    """Chart of predictions.safetensors; None when it holds no model's class probabilities."""
    labels = predictions.get("labels")
    if labels is None:
        return None
    found = {
        model: _bins(predictions[model], labels, bins) for model in MODELS if model in predictions
    }
    if not found:
        return None

    def plot(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=INK, lw=0.8, alpha=0.5, label="Perfectly calibrated")
        for model, filled in found.items():
            if drawn := [one for one in filled if one[2] >= FEW]:
                _plot_model(axes, model, drawn)
        axes.set_xlabel("confidence")
        axes.set_ylabel("share right")
        axes.legend(loc="best")

    return draw("reliability", "Reliability", _described(found, bins), plot)


def _bins(probabilities: Tensor, labels: Tensor, bins: int) -> list[Bin]:
    table = reliability(probabilities, labels, bins)
    columns = (table.confidence.tolist(), table.accuracy.tolist(), table.count.tolist())
    return [(c, a, int(n)) for c, a, n in zip(*columns, strict=True) if n > 0]


def _plot_model(axes: Axes, model: str, bins: list[Bin]) -> None:
    confidence, accuracy, counts = zip(*bins, strict=True)
    largest = max(counts)
    colour = COLOURS[model]
    axes.plot(confidence, accuracy, DASHES[model], color=colour, lw=1.2, alpha=0.8)
    axes.scatter(
        confidence,
        accuracy,
        s=[12 + 60 * count / largest for count in counts],
        marker=MARKERS[model],
        color=colour,
        edgecolors=PAPER,
        linewidths=0.8,
        label=MODELS[model],
        zorder=3,
    )


def _described(found: dict[str, list[Bin]], bins: int) -> str:
    said = []
    for model, filled in found.items():
        total = sum(n for _, _, n in filled)
        claimed = sum(c * n for c, _, n in filled) / total
        right = sum(a * n for _, a, n in filled) / total
        said.append(f"{MODELS[model]}: claims {100 * claimed:.2f} %, is right {100 * right:.2f} %")
    return (
        f"{'. '.join(said)}. Above the diagonal a model is too modest, below it too sure; "
        f"larger marks are more test cases ({bins} bins; those under {FEW} cases are left out)."
    )
