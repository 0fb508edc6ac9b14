"""Inputs that a report shows: those that teacher and student answer otherwise, and samples."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from kdistill.artifacts.figures import Bar, Case, Cases, Picture, Shown
from kdistill.measures.figures import divergences
from kdistill.measures.softening import logarithms
from kdistill.report import numbers
from kdistill.report.comparison import MODELS

BARS = 5  # at most so many bars of each distribution; the last may be all other classes
NUMBERS = 16  # of an input up to which it is shown by them
PAIR = ("teacher", "student")


def disagreements(
    probabilities: Mapping[str, Tensor],
    about: Mapping[str, Tensor],
    classes: Sequence[str],
    rows: Tensor,
    inputs: Sequence[Shown],
) -> Cases:
    """The test inputs `rows` [shown], as `inputs` has them, with the shares of teacher and student.

    probabilities: [n, classes] by model; about: index and labels [n] of the test data.
    """
    cases = [
        _case(probabilities, about, classes, row, shown)
        for row, shown in zip(rows.tolist(), inputs, strict=True)
    ]
    n = numbers.whole(len(about["labels"]))
    how = (
        f"The {len(cases)} of {n} test inputs with the largest divergence KL of the student's "
        "distribution from the teacher's, at T = 1."
    )
    return Cases("Where teacher and student disagree most", cases, how)


def samples(counts: Mapping[str, int], file: str) -> Cases:
    """A sheet of so many samples of each model, which `file` holds by its name."""
    return Cases(
        "Samples",
        [
            Case(MODELS[name], Shown(Picture(file, name, list(range(counts[name])))))
            for name in MODELS
            if name in counts
        ],
    )


def shown(inputs: Tensor, file: str, tensor: str) -> list[Shown]:
    """Each of `inputs` [shown, ...], which `file` holds as `tensor`: a picture, or few numbers."""
    if inputs.ndim == 4:
        return [Shown(Picture(file, tensor, [row])) for row in range(len(inputs))]
    if inputs.ndim == 2 and inputs.shape[1] <= NUMBERS and inputs.isfinite().all():
        return [Shown(numbers=row) for row in inputs.double().tolist()]
    return [Shown()] * len(inputs)


def bars(teacher: Tensor, student: Tensor, classes: Sequence[str]) -> list[Bar]:
    """The classes that either of two distributions [classes] favours, and the rest as one."""
    favoured = torch.maximum(teacher, student).argsort(descending=True, stable=True).tolist()
    if len(favoured) > BARS:
        favoured = favoured[: BARS - 1]
    both = [
        Bar(classes[each], {"teacher": float(teacher[each]), "student": float(student[each])})
        for each in favoured
    ]
    if len(favoured) == len(classes):
        return both
    rest = {model: max(0.0, 1 - sum(bar.shares[model] for bar in both)) for model in PAIR}
    return [*both, Bar(f"{len(classes) - len(favoured)} others", rest)]


def _case(
    probabilities: Mapping[str, Tensor],
    about: Mapping[str, Tensor],
    classes: Sequence[str],
    row: int,
    input: Shown,
) -> Case:
    teacher, student = (probabilities[model][row] for model in PAIR)
    label, index = int(about["labels"][row]), int(about["index"][row])
    taught, answered = (classes[int(each.argmax())] for each in (teacher, student))
    divergence = divergences(logarithms(student)[None], logarithms(teacher)[None]).item()
    return Case(
        f"Labelled {classes[label]}: teacher {taught}, student {answered}",
        input,
        bars(teacher, student, classes),
        f"Test index {index}, KL {divergence:.2g} nats.",
    )
