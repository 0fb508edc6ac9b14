"""What was gained: paired tests of two models or two settings, and the share of a closed gap."""

from collections.abc import Sequence

from scipy.stats import binomtest, ttest_rel
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


def paired_t(first: Sequence[float], second: Sequence[float]) -> float | None:
    """p-value of Student's two-sided paired t-test that two means are equal.

    Both of one length and in one order (of seeds, say). None where there is nothing to test by:
    fewer than two pairs, or differences that are all the same and not 0; 1.0 when all are 0.
    """
    differences = {one - other for one, other in zip(first, second, strict=True)}
    if differences == {0.0}:
        return 1.0 if len(first) > 1 else None
    if len(differences) < 2:
        return None
    return float(ttest_rel(first, second).pvalue)


def closed_gap(baseline: Measure, student: Measure, teacher: Measure) -> float | None:
    """(baseline - student) / (baseline - teacher) of one measure.

    1 is as good as the teacher, 0 is no gain, below 0 a loss; None where the teacher is not better
    than the baseline, so that there is no gap to close.
    """
    gap = baseline.value - teacher.value
    if gap == 0 or (gap > 0) != (baseline.better == "lower"):
        return None
    return (baseline.value - student.value) / gap
