"""Calibration: does a model that is 80 % sure prove right 80 times in 100?"""

from dataclasses import dataclass

import torch
from torch import Tensor

BINS, MOST_BINS = 15, 10_000
RESAMPLES = 200


@dataclass(frozen=True)
class Reliability:
    """What a reliability diagram shows: one row per bin of the confidence, from 0 to 1."""

    confidence: Tensor  # [bins] mean top-1 probability, NaN in an empty bin
    accuracy: Tensor  # [bins] share of right answers, NaN in an empty bin
    count: Tensor  # [bins] int64 cases


def reliability(probabilities: Tensor, labels: Tensor, bins: int) -> Reliability:
    """Bin n cases by their confidence into `bins` equal widths, each open below, closed above.

    probabilities: [n, classes]; labels: [n] int64.
    """
    confidence, right, bin_of = _cases(probabilities, labels, bins)
    count = torch.bincount(bin_of, minlength=bins)
    return Reliability(
        torch.bincount(bin_of, confidence, bins) / count,
        torch.bincount(bin_of, right, bins) / count,
        count,
    )


def calibration_error(
    probabilities: Tensor, labels: Tensor, bins: int
) -> tuple[float, tuple[float, float]]:
    """Expected calibration error, in [0, 1], and its 95 % interval (Guo et al. 2017, equation 3).

    The mean over cases of |accuracy - confidence| of the case's bin. Interval: percentiles over
    200 bootstrap resamples with a fixed seed. Resampling adds noise to every bin, which lifts the
    error of a well calibrated model, so the interval is stretched to hold the value itself.
    """
    confidence, right, bin_of = _cases(probabilities, labels, bins)
    gap = right - confidence
    n = len(gap)
    value = _error(gap, bin_of, bins)
    generator = torch.Generator().manual_seed(0)
    resampled = []
    for _ in range(RESAMPLES):
        rows = torch.randint(n, (n,), generator=generator)
        resampled.append(_error(gap[rows], bin_of[rows], bins))
    low, high = torch.tensor(resampled).quantile(torch.tensor([0.025, 0.975])).tolist()
    return value, (min(low, value), max(high, value))


def _error(gap: Tensor, bin_of: Tensor, bins: int) -> float:
    return float(torch.bincount(bin_of, gap, bins).abs().sum()) / len(gap)


def _cases(probabilities: Tensor, labels: Tensor, bins: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of each case, in float64 on the CPU: confidence, 1 where right, bin (all [n])."""
    confidence, answer = probabilities.cpu().double().max(dim=1)
    right = (answer == labels.cpu()).double()
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)[1:-1]
    return confidence, right, torch.bucketize(confidence, edges)
