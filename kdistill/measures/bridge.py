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
    search finds however little p and q overlap. Its variance is that of a root, the variance of the
    difference of the two sums over its squared slope. Effective samples are the smaller set times
    the overlap O = integral p q / (s_p p + s_q q), s the shares of the samples, which both sums
    estimate; below 100 there is no interval: without overlap the sums agree by chance.

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
    return _judged(value, (student - value + shift).sigmoid(), (value - shift - teacher).sigmoid())


def _judged(value: float, of_student: Tensor, of_teacher: Tensor) -> Estimate:
    """With its interval; the terms [n_q] and [n_p] of the two sums: the chance that a sample, among
    all, were one of the other density."""
    sizes = len(of_student), len(of_teacher)
    overlap = min(1.0, float(of_student.mean()) * sum(sizes) / sizes[1])
    effective = overlap * min(sizes)
    if effective < ENOUGH:
        told = (
            f"student and teacher overlap by {overlap:.2g}, worth {effective:.1f} samples "
            f"(below {ENOUGH:g}): the bridge between them carries no verdict on log Z"
        )
        return Estimate(value, None, None, effective, told)
    variance = sum(len(each) * float(each.var()) for each in (of_student, of_teacher))
    slope = sum(float((each * (1 - each)).sum()) for each in (of_student, of_teacher))
    half = SIGMAS * sqrt(variance) / slope
    return Estimate(value, value - half, value + half, effective, None)
