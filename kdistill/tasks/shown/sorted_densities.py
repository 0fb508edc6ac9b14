"""Log-densities of the test data under every model, each sorted: where a model loses likelihood."""

from collections.abc import Mapping

import torch
from torch import Tensor

from kdistill.artifacts.figures import Curves, Line
from kdistill.report import numbers
from kdistill.report.comparison import MODELS

POINTS = 400  # of a curve


def sorted_densities(log: Mapping[str, Tensor]) -> Curves:
    """A curve for each model, of log p(x) [n] of the same n >= 1 inputs."""
    curves = {name: log[name] for name in MODELS if name in log}
    n = len(next(iter(curves.values())))
    medians = ", ".join(
        f"{MODELS[name].lower()} {float(values.median()):.1f}" for name, values in curves.items()
    )
    return Curves(
        "Log-likelihoods, sorted",
        "share of the test inputs, %",
        "log-likelihood, nats",
        [Line(MODELS[name], name, *thinned(values)) for name, values in curves.items()],
        f"Of {numbers.whole(n)} test inputs, sorted for each model by itself. Medians: {medians}.",
    )


def thinned(values: Tensor) -> tuple[list[float], list[float]]:
    """At most POINTS of the ascending `values` [n], evenly spaced, and their place in percent."""
    ascending = values.sort().values
    rows = torch.linspace(0, len(values) - 1, min(len(values), POINTS)).round().long()
    return (100 * rows / max(len(values) - 1, 1)).tolist(), ascending[rows].tolist()
