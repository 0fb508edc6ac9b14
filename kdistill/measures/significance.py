"""What a run gained: a paired test of two models, and the share of the gap that was closed."""

from scipy.stats import binomtest
from torch import Tensor

from kdistill.artifacts.result import Measure


def mcnemar(first_right: Tensor, second_right: Tensor) -> float:
    """p-value of McNemar's exact two-sided test that two models err equally often.

    Both [n] bool, of the same cases in the same order. Only cases where the models differ count:
    of those the first wins a binomial half. 1.0 when they never differ.
    """
    first_only = int((first_right & ~second_right).sum())
    second_only = int((second_right & ~first_right).sum())
    if first_only + second_only == 0:
        return 1.0
    return float(binomtest(first_only, first_only + second_only).pvalue)


def closed_gap(baseline: Measure, student: Measure, teacher: Measure) -> float | None:
    """(baseline - student) / (baseline - teacher) of one measure.

    1 is as good as the teacher, 0 is no gain, below 0 a loss; None where the teacher is not better
    than the baseline, so that there is no gap to close.
    """
    gap = baseline.value - teacher.value
    if gap == 0 or (gap > 0) != (baseline.better == "lower"):
        return None
    return (baseline.value - student.value) / gap
