"""Density: how well a model knows the distribution of the data, and how its figures are found."""

from dataclasses import replace
from math import sqrt

from torch import Tensor

from kdistill.artifacts.result import Measure
from kdistill.data.arrays import check_bits
from kdistill.data.batch import Dataset
from kdistill.errors import UserError
from kdistill.measures.importance import SIGMAS, Estimate
from kdistill.measures.intervals import Z, normal

DIVERGENCES = {  # their titles by name
    "kl_teacher_student": "KL(teacher || model)",
    "kl_student_teacher": "KL(model || teacher)",
}
MAIN = ("log_likelihood", *DIVERGENCES)
LEAST = 40  # annealed chains: half of them must be effective (see annealed_importance)


class Density:
    """Figures in nats, each with its 95 % interval.

    main: the measure that decides. samples >= 100: of each model, for the divergences and log Z;
    sweeps >= 8: of the teacher's chains, begun at the student's samples; annealed_chains >= 40,
    temperatures >= 1: of annealed importance sampling, which either being 0 leaves out.
    """

    needs_targets = False

    def __init__(
        self,
        main: str = "log_likelihood",
        samples: int = 10000,
        sweeps: int = 2000,
        annealed_chains: int = 100,
        temperatures: int = 14500,
    ) -> None:
        if main not in MAIN:
            raise ValueError(f"main must be one of {', '.join(MAIN)}, got {main}")
        for name, value, least in (("samples", samples, 100), ("sweeps", sweeps, 8)):
            if value < least:
                raise ValueError(f"{name} must be >= {least}, got {value}")
        if annealed_chains != 0 and annealed_chains < LEAST:
            raise ValueError(f"annealed_chains must be 0 or >= {LEAST}, got {annealed_chains}")
        if temperatures < 0:
            raise ValueError(f"temperatures must be >= 0, got {temperatures}")
        self.main, self.samples, self.sweeps = main, samples, sweeps
        self.annealed_chains, self.temperatures = annealed_chains, temperatures

    def bind(self, dataset: Dataset) -> None:
        """Refuses data with classes or of other numbers than bits, and a main measure that they
        cannot give."""
        if dataset.classes:
            raise UserError(
                "measure: a density is measured on data without classes; use dataset=binarised, or "
                "measure=classification"
            )
        for part in ("train", "validation", "test"):
            inputs = getattr(dataset, part).inputs
            if not isinstance(inputs, Tensor):
                raise UserError(f"dataset: a density's {part} data must fit into memory")
            check_bits(inputs, f"dataset: the {part} data")
        if self.main == "log_likelihood" and not len(dataset.test):
            raise UserError(
                "measure.main=log_likelihood: there are no test data; use kl_teacher_student"
            )

    validated: tuple[str, ...] = ("nll",)  # what `validate` returns

    def validate(self, log_density: Tensor, labels: Tensor | None = None) -> dict[str, float]:
        """What training looks at after each epoch: nll (nats)."""
        return {"nll": -float(log_density.double().mean())}


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
