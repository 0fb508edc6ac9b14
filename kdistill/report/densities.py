"""Log-densities of the test data under every model, each sorted: where a model loses likelihood."""

import torch
from matplotlib.axes import Axes
from torch import Tensor

from kdistill.report import numbers
from kdistill.report.charts import COLOURS, DASHES, Chart, draw
from kdistill.report.comparison import MODELS
from kdistill.report.contents import Contents

POINTS = 400  # of a curve


def sorted_densities(contents: Contents) -> Chart | None:
    """A curve for each model; None for a run of classifiers, or without test data."""
    curves = {name: contents.densities[name] for name in MODELS if name in contents.densities}
    if not curves:
        return None
    n = len(next(iter(curves.values())))

    def plot(axes: Axes) -> None:
        for name, values in curves.items():
            share, level = thinned(values)
            axes.plot(
                share, level, color=COLOURS[name], ls=DASHES[name], lw=1.6, label=MODELS[name]
            )
        axes.set_xlabel("share of the test inputs, %")
        axes.set_ylabel("log-likelihood, nats")
        axes.legend(loc="lower right")

    said = ", ".join(
        f"{MODELS[name].lower()} {float(values.median()):.1f}" for name, values in curves.items()
    )
    words = f"Of {numbers.whole(n)} test inputs, sorted for each model by itself. Medians: {said}."
    return draw("densities", "Log-likelihoods, sorted", words, plot)


def thinned(values: Tensor) -> tuple[list[float], list[float]]:
    """At most POINTS of the ascending `values` [n], evenly spaced, and their place in percent."""
    ascending = values.sort().values
    rows = torch.linspace(0, len(values) - 1, min(len(values), POINTS)).round().long()
    return (100 * rows / max(len(values) - 1, 1)).tolist(), ascending[rows].tolist()
