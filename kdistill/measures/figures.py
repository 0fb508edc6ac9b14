"""Figures of classifiers: log-probabilities against labels, and against a teacher's."""

import math
import sys

from torch import Tensor

from kdistill.artifacts.result import Measure
from kdistill.measures.calibration import calibration_error
from kdistill.measures.intervals import normal, wilson

# a probability of 0 counts as the least normal float64, 2.2e-308, so that every figure is finite
FLOOR = math.log(sys.float_info.min)


def log_probabilities(logits: Tensor) -> Tensor:
    """Of each class, [..., classes] float64 on the CPU, all finite.

    >>> log_probabilities(Tensor([[0.0, 0.0]])).exp()
    tensor([[0.5000, 0.5000]], dtype=torch.float64)
    """
    return logits.cpu().double().log_softmax(-1).clamp(min=FLOOR)


def of_labels(log_probability: Tensor, labels: Tensor) -> Tensor:
    """Those of the labels [n], of log-probabilities [n, classes]."""
    return log_probability.gather(-1, labels[..., None])[..., 0]


def divergences(log_probability: Tensor, teacher: Tensor) -> Tensor:
    """KL(teacher || model) of each case in nats, [n], from log-probabilities [n, classes]."""
    return (teacher.exp() * (teacher - log_probability)).sum(-1)


def against_labels(log_probability: Tensor, labels: Tensor, bins: int) -> dict[str, Measure]:
    """Errors, accuracy, NLL, Brier score and ECE of log-probabilities [n, classes] against
    labels [n]."""
    n = len(labels)
    right = int((log_probability.argmax(1) == labels).sum())
    low, high = wilson(n - right, n)
    probabilities = log_probability.exp()
    of_label = labels[:, None]
    brier = probabilities.square().sum(1) - 2 * probabilities.gather(1, of_label)[:, 0] + 1
    ece, ece_interval = calibration_error(probabilities, labels, bins)
    return {
        "errors": Measure(float(n - right), n, (n * low, n * high), "count", "lower", "Errors"),
        "accuracy": Measure(right / n, n, wilson(right, n), "fraction", "higher", "Accuracy"),
        "nll": mean(-of_labels(log_probability, labels), "nats", "NLL"),
        "brier": mean(brier, "squared error", "Brier score"),
        "ece": Measure(ece, n, ece_interval, "fraction", "lower", "ECE"),
    }


def against_teacher(log_probability: Tensor, teacher: Tensor) -> dict[str, Measure]:
    """Agreement (share of cases with the same top class) and divergence from the teacher's
    log-probabilities; both are [n, classes] and finite."""
    n = len(log_probability)
    same = int((log_probability.argmax(1) == teacher.argmax(1)).sum())
    kl = divergences(log_probability, teacher)
    return {
        "agreement": Measure(same / n, n, wilson(same, n), "fraction", "higher", "Agreement"),
        "kl_to_teacher": mean(kl, "nats", "KL to teacher"),
    }


def mean(values: Tensor, unit: str, title: str) -> Measure:
    """The mean of `values` [n], of which less is better."""
    return Measure(float(values.mean()), len(values), normal(values), unit, "lower", title)
