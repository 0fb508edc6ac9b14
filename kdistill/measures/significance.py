"""What was gained: paired tests of two models or two settings, and the share of a closed gap."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

from scipy.special import bdtr, stdtr  # scipy.stats has both tests, after seconds of imports
from torch import Tensor

from kdistill.artifacts.result import Measure


def mcnemar(first_right: Tensor, second_right: Tensor) -> float:
    """p-value of McNemar's exact two-sided test that two models err equally often.

    Both [n] bool, of the same cases in the same order. Only cases where the models differ count:
    of those the first wins a binomial half. 1.0 when they never differ.
    """
    first_only = int((first_right & ~second_right).sum())
    second_only = int((second_right & ~first_right).sum())
    fewer, both = min(first_only, second_only), first_only + second_only
    return min(1.0, 2 * float(bdtr(fewer, both, 0.5))) if both else 1.0


def paired_t(first: Sequence[float], second: Sequence[float]) -> float | None:
    """p-value of Student's two-sided paired t-test that two means are equal.

    Both of one length and in one order (of seeds, say). None where there is nothing to test by:
    fewer than two pairs, or differences that are all the same and not 0; 1.0 when all are 0.
    """
    differences = [one - other for one, other in zip(first, second, strict=True)]
    if set(differences) == {0.0}:
        return 1.0 if len(first) > 1 else None
    if len(set(differences)) < 2:
        return None
    n = len(differences)
    t = fmean(differences) / (stdev(differences) / sqrt(n))
    return 2 * float(stdtr(n - 1, -abs(t)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for how many they are, each at most 1 (Holm 1979).

    Where those below 0.05 are called differences, the chance of calling any that is none stays
    below 0.05.
    """
    ascending = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, greatest = [0.0] * len(p_values), 0.0
    for done, at in enumerate(ascending):
        greatest = max(greatest, min(1.0, (len(p_values) - done) * p_values[at]))
        corrected[at] = greatest
    return corrected


def closed_gap(baseline: Measure, student: Measure, teacher: Measure) -> float | None:
    """(baseline - student) / (baseline - teacher) of one measure.

    1 is as good as the teacher, 0 is no gain, below 0 a loss; None where the teacher is not better
    than the baseline, so that there is no gap to close.
    """
    gap = baseline.value - teacher.value
    if gap == 0 or (gap > 0) != (baseline.better == "lower"):
        return None
    return (baseline.value - student.value) / gap
