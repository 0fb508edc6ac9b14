"""Two finished runs compared: their configs, their measures, and the answers that changed."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kdistill.artifacts.configs import differences
from kdistill.artifacts.result import Measure
from kdistill.errors import UserError
from kdistill.measures.significance import mcnemar
from kdistill.report.comparison import MODELS, title
from kdistill.report.contents import Contents

SHOWN = 10  # examples of each kind of change


@dataclass(frozen=True)
class MeasureDifference:
    """One measure of one model in both runs; `other` minus `one` is the difference."""

    model: str
    name: str
    title: str
    one: Measure
    other: Measure
    p_value: float | None  # of the runs' paired test, where that judges it, on the same examples


@dataclass(frozen=True)
class Example:
    """A test example that the two students answer otherwise."""

    index: int  # in the data set
    label: str
    one: str  # the class that the first run's student answers
    one_probability: float
    other: str
    other_probability: float


@dataclass(frozen=True)
class Change:
    """Test examples whose answer changed in one way: how many, and the first SHOWN of them."""

    count: int
    examples: list[Example]


@dataclass(frozen=True)
class Difference:
    """What `kdistill diff` prints."""

    config: list[tuple[str, Any, Any]]  # dotted key, value of each run
    measures: list[MeasureDifference]  # the student's first; of each model the main one first
    test: str  # name of the paired test
    changes: dict[str, Change]  # fixed, broken, changed; empty without the same test examples
    tested: int  # how many test examples they share


def diff(one: Contents, other: Contents) -> Difference:
    """Compare two runs, the first taken as what was before.

    UserError when they are of different data sets.
    """
    names = [contents.result.dataset.get("name") for contents in (one, other)]
    if names[0] != names[1]:
        raise UserError(f"the runs are of different data sets: {names[0]} and {names[1]}")
    same = same_examples(one, other)
    return Difference(
        config=list(differences(one.config, other.config)),
        measures=_measures(one, other, same),
        test=one.result.gain.test,
        changes=_changes(one, other) if same else {},
        tested=len(one.predictions["index"]) if same else 0,
    )


def same_examples(one: Contents, other: Contents) -> bool:
    """Whether both were tested on the same examples in the same order."""
    first, second = one.predictions, other.predictions
    return all(
        key in first and key in second and torch.equal(first[key], second[key])
        for key in ("index", "labels")
    )


def _measures(one: Contents, other: Contents, same: bool) -> list[MeasureDifference]:
    found = []
    for model in reversed(MODELS):
        first, second = one.result.models.get(model), other.result.models.get(model)
        if first is None or second is None:
            continue
        p = _mcnemar(one, other, model) if same else None
        shared = [name for name in first.measures if name in second.measures]
        for name in sorted(shared, key=lambda name: name != one.result.main):
            tested = p if name in one.result.gain.measures else None
            pair = first.measures[name], second.measures[name]
            found.append(MeasureDifference(model, name, title(name, one.result), *pair, tested))
    return found


def _mcnemar(one: Contents, other: Contents, model: str) -> float | None:
    right = [_right(contents, model) for contents in (one, other)]
    return None if right[0] is None or right[1] is None else mcnemar(right[0], right[1])


def _right(contents: Contents, model: str) -> Tensor | None:
    """[n] bool: where the model's answer is the label; None without its predictions."""
    if model not in contents.predictions:
        return None
    return contents.predictions[model].argmax(1) == contents.predictions["labels"]


def _changes(one: Contents, other: Contents) -> dict[str, Change]:
    before, after = _right(one, "student"), _right(other, "student")
    if before is None or after is None:
        return {}
    moved = one.predictions["student"].argmax(1) != other.predictions["student"].argmax(1)
    rows = {
        "fixed": ~before & after,
        "broken": before & ~after,
        "changed": moved & ~before & ~after,  # one wrong answer for another
    }
    return {kind: _change(one, other, where.nonzero()[:, 0]) for kind, where in rows.items()}


def _change(one: Contents, other: Contents, rows: Tensor) -> Change:
    shown = rows[:SHOWN].tolist()
    return Change(len(rows), [_example(one, other, row) for row in shown])


def _example(one: Contents, other: Contents, row: int) -> Example:
    index, label = (int(one.predictions[key][row]) for key in ("index", "labels"))
    (first, sure), (second, as_sure) = (_answer(each, row) for each in (one, other))
    return Example(index, one.classes[label], first, sure, second, as_sure)


def _answer(contents: Contents, row: int) -> tuple[str, float]:
    """The student's answer about the example, and the probability it gives to it."""
    probability, place = contents.predictions["student"][row].max(0)
    return contents.classes[int(place)], float(probability)
