"""Figures of densities: means in nats, and what an estimate of log Z does to them."""

from dataclasses import replace
from math import sqrt

from torch import Tensor

from kdistill.artifacts.result import Measure
from kdistill.measures.importance import SIGMAS, Estimate
from kdistill.measures.intervals import Z, normal

DIVERGENCES = {  # their titles by name
    "kl_teacher_student": "KL(teacher || model)",
    "kl_student_teacher": "KL(model || teacher)",
}


def mean(values: Tensor, better: str, title: str = "") -> Measure:
    """The mean of `values` [n] in nats."""
    values = values.double()
    return Measure(float(values.mean()), len(values), normal(values), "nats", better, title)


def shifted(measure: Measure, by: Estimate) -> Measure:
    """`measure` with log Z added; where that is an estimate, its error widens the interval."""
    interval = None
    if measure.interval and by.low is not None and by.high is not None:
        half = (measure.interval[1] - measure.interval[0]) / 2
        wider = sqrt(half**2 + ((by.high - by.low) / 2 / SIGMAS * Z) ** 2)
        value = measure.value + by.value
        interval = value - wider, value + wider
    return replace(measure, value=measure.value + by.value, interval=interval)


def negative(measure: Measure) -> Measure:
    """-`measure`, which is better in the same direction as was said of it."""
    ends = measure.interval and (-measure.interval[1], -measure.interval[0])
    return replace(measure, value=-measure.value, interval=ends)
