"""log Z by bridge sampling: from samples of p = p~/Z as well as of a normalised q."""

from math import log, sqrt

from scipy.optimize import brentq
from torch import Tensor

from kdistill.measures.importance import ENOUGH, SIGMAS, Estimate


def bridge(student_log_ratios: Tensor, teacher_log_ratios: Tensor) -> Estimate:
    """log Z from log p~(x) - log q(x) at x ~ q, the student's samples, and at x ~ p, the teacher's.

    The optimal bridge of Meng & Wong 1996 (Bennett 1976): log Z is the root of

        sum_{x ~ q} sigmoid(l(x) - log Z + c) = sum_{x ~ p} sigmoid(log Z - c - l(x)),

    l the log ratio, c = log n_p - log n_q: the fixed point of their iteration, which a bracketing
    search finds however little p and q overlap. Its asymptotic variance is (1/n_q + 1/n_p)
    (1/O - 1) with the overlap O = integral p q / (s_p p + s_q q), s the shares of the samples,
    which both sums estimate. Effective samples are O times the smaller set; below 100 there is no
    interval: without overlap the sums agree by chance.

    Samples count as independent. For the teacher's that means one of each of many chains, started
    at the student's samples and run until they have forgotten them: `mixing` looks whether they
    did. ValueError for ratios that are not finite.
    """
    student, teacher = student_log_ratios.double(), teacher_log_ratios.double()
    if not len(student) or not len(teacher):
        raise ValueError(f"log ratios of both are needed, got {len(student)} and {len(teacher)}")
    if not (student.isfinite().all() and teacher.isfinite().all()):
        raise ValueError("log ratios must be finite, some are infinite or NaN")
    shift = log(len(teacher)) - log(len(student))

    def excess(log_z: float) -> float:
        taken = (student - log_z + shift).sigmoid().sum()
        return float(taken - (log_z - shift - teacher).sigmoid().sum())

    # where all ratios are below (above) log Z - c the left (right) sum vanishes beside the other
    reach = 50.0 + log(len(student) + len(teacher))
    low = float(min(student.min(), teacher.min())) + shift - reach
    high = float(max(student.max(), teacher.max())) + shift + reach
    value = float(brentq(excess, low, high, xtol=1e-10))
    return _judged(value, (student - value + shift).sigmoid(), len(teacher))


def _judged(value: float, chances: Tensor, teacher: int) -> Estimate:
    """With its interval; `chances` [n_q]: that a sample of q, among all, were one of p."""
    student = len(chances)
    overlap = min(1.0, float(chances.mean()) * (student + teacher) / teacher)
    effective = overlap * min(student, teacher)
    if effective < ENOUGH:
        told = (
            f"student and teacher overlap by {overlap:.2g}, worth {effective:.1f} samples "
            f"(below {ENOUGH:g}): the bridge between them carries no verdict on log Z"
        )
        return Estimate(value, None, None, effective, told)
    half = SIGMAS * sqrt((1 / student + 1 / teacher) * (1 / overlap - 1))
    return Estimate(value, value - half, value + half, effective, None)
