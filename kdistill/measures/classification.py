"""Classification: errors, likelihood and calibration, and how closely a teacher is followed."""

import math
import sys

from torch import Tensor

from kdistill.artifacts.result import Measure
from kdistill.data.batch import Dataset
from kdistill.measures.calibration import BINS, MOST_BINS, calibration_error
from kdistill.measures.intervals import normal, wilson

MAIN = ("errors", "accuracy", "nll", "brier", "ece")
# a probability of 0 counts as the least normal float64, 2.2e-308, so that every figure is finite
FLOOR = math.log(sys.float_info.min)


class Classification:
    """Measures of a classifier on n cases, each with its 95 % interval, computed in float64.

    main: the measure that decides, one of errors, accuracy, nll, brier, ece.
    bins: of the calibration error, from 1 to 10,000.
    """

    needs_targets = True
    mains: tuple[str, ...] = MAIN  # what `main` may be

    def __init__(self, main: str = "errors", bins: int = BINS) -> None:
        if main not in self.mains:
            raise ValueError(f"main must be one of {', '.join(self.mains)}, got {main}")
        if not 1 <= bins <= MOST_BINS:
            raise ValueError(f"bins must be from 1 to {MOST_BINS}, got {bins}")
        self.main = main
        self.bins = bins

    def bind(self, dataset: Dataset) -> None:
        """Once the data are there: takes what a measure needs of them, or refuses them."""

    def __call__(
        self,
        logits: Tensor,
        labels: Tensor | None = None,
        teacher_logits: Tensor | None = None,
        group: Tensor | None = None,
    ) -> dict[str, Measure]:
        """Measures by name; logits: [n, classes], labels: [n] int64, n >= 1.

        With labels: errors, accuracy, nll, brier, ece. With teacher_logits [n, classes]: agreement
        (share of cases with the same top-1 answer) and kl_to_teacher (KL(teacher || model) at
        T = 1). nll and kl_to_teacher are in nats. `group` (Examples.group) is for measures of more
        than one case at a time.
        """
        answered = log_probabilities(logits)
        measures: dict[str, Measure] = {}
        if labels is not None:
            measures |= against_labels(answered, labels.cpu(), self.bins)
        if teacher_logits is not None:
            measures |= against_teacher(answered, log_probabilities(teacher_logits))
        return measures

    validated: tuple[str, ...] = ("errors", "nll")  # of `validate`, lower is better

    def validate(self, logits: Tensor, labels: Tensor | None) -> dict[str, float]:
        """What training looks at after each epoch: errors (count) and nll (nats); and the accuracy,
        which stands beside that of the training steps."""
        assert labels is not None  # nothing is validated without
        answered = logits.double().log_softmax(1).clamp(min=FLOOR)
        wrong = (answered.argmax(1) != labels).sum()
        nll = -answered.gather(1, labels[:, None]).mean()
        accuracy = 1 - float(wrong) / len(labels)
        return {"errors": float(wrong), "nll": float(nll), "accuracy": accuracy}


def against_labels(answered: Tensor, labels: Tensor, bins: int) -> dict[str, Measure]:
    """Measures of log-probabilities [n, classes] against labels [n]."""
    n = len(labels)
    right = int((answered.argmax(1) == labels).sum())
    low, high = wilson(n - right, n)
    probabilities = answered.exp()
    of_label = labels[:, None]
    brier = probabilities.square().sum(1) - 2 * probabilities.gather(1, of_label)[:, 0] + 1
    ece, ece_interval = calibration_error(probabilities, labels, bins)
    return {
        "errors": Measure(float(n - right), n, (n * low, n * high), "count", "lower", "Errors"),
        "accuracy": Measure(right / n, n, wilson(right, n), "fraction", "higher", "Accuracy"),
        "nll": _mean(-answered.gather(1, of_label)[:, 0], "nats", "NLL"),
        "brier": _mean(brier, "squared error", "Brier score"),
        "ece": Measure(ece, n, ece_interval, "fraction", "lower", "ECE"),
    }


def against_teacher(answered: Tensor, taught: Tensor) -> dict[str, Measure]:
    """Measures of log-probabilities against the teacher's (both [n, classes], finite)."""
    n = len(answered)
    same = int((answered.argmax(1) == taught.argmax(1)).sum())
    return {
        "agreement": Measure(same / n, n, wilson(same, n), "fraction", "higher", "Agreement"),
        "kl_to_teacher": _mean(divergences(answered, taught), "nats", "KL to teacher"),
    }


def divergences(answered: Tensor, taught: Tensor) -> Tensor:
    """KL(teacher || model) of each case in nats, [n], from log-probabilities [n, classes]."""
    return (taught.exp() * (taught - answered)).sum(1)


def log_probabilities(logits: Tensor) -> Tensor:
    """Of each class, [n, classes] float64 on the CPU, all finite."""
    return logits.cpu().double().log_softmax(1).clamp(min=FLOOR)


def _mean(values: Tensor, unit: str, title: str) -> Measure:
    return Measure(float(values.mean()), len(values), normal(values), unit, "lower", title)
