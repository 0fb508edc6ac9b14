"""Two finished runs compared: their configs, their measures, and the answers that changed."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kdistill.artifacts.configs import differences, read_config
from kdistill.artifacts.result import Measure, Result
from kdistill.artifacts.run_arrays import read_answers
from kdistill.artifacts.run_folder import RunFolder
from kdistill.errors import UserError
from kdistill.measures.significance import mcnemar, paired_t
from kdistill.printable import NAME, printable
from kdistill.report import numbers
from kdistill.report.comparison import MODELS, title

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


@dataclass(frozen=True)
class Side:
    """One of two runs: what it is, and what its models answer to the test examples."""

    result: Result
    config: dict[str, Any]
    answers: dict[str, Tensor]  # as run_arrays.read_answers has them

    def name(self, value: Tensor) -> str:
        """A target or an answer: the class that it is, if it is one, else the number."""
        names = self.result.dataset.get("classes")
        whole = not value.is_floating_point()
        if whole and isinstance(names, list) and 0 <= int(value) < len(names):
            return printable(names[int(value)], NAME)
        return numbers.entry(value.item())


def read(folder: RunFolder) -> Side:
    """Read the run in `folder`; UserError when it is not finished, or a file is damaged."""
    result = Result.read(folder.finished().result)
    config = read_config(folder.config) if folder.config.is_file() else {}
    return Side(result, config, read_answers(folder.kept("cases")))


def diff(one: Side, other: Side) -> Difference:
    """Compare two runs, the first taken as what was before.

    UserError when they are of different data sets.
    """
    names = [side.result.dataset.get("name") for side in (one, other)]
    if names[0] != names[1]:
        raise UserError(f"the runs are of different data sets: {names[0]} and {names[1]}")
    same = same_examples(one, other)
    return Difference(
        config=list(differences(one.config, other.config)),
        measures=_measures(one, other, same),
        test=one.result.gain.test,
        changes=_changes(one, other) if same else {},
        tested=len(one.answers["index"]) if same else 0,
    )


def same_examples(one: Side, other: Side) -> bool:
    """Whether both were tested on the same examples in the same order."""
    first, second = (
        {key: side.answers[key] for key in ("index", "target") if key in side.answers}
        for side in (one, other)
    )
    return first.keys() == second.keys() != set() and all(
        torch.equal(first[key], second[key]) for key in first
    )


def _measures(one: Side, other: Side, same: bool) -> list[MeasureDifference]:
    found = []
    for model in reversed(MODELS):
        first, second = one.result.models.get(model), other.result.models.get(model)
        if first is None or second is None:
            continue
        p = _paired(one, other, model) if same else None
        shared = [name for name in first.measures if name in second.measures]
        for name in sorted(shared, key=lambda name: name != one.result.main):
            tested = p if name in one.result.gain.measures else None
            pair = first.measures[name], second.measures[name]
            found.append(MeasureDifference(model, name, title(name, one.result), *pair, tested))
    return found


def _paired(one: Side, other: Side, model: str) -> float | None:
    """McNemar's p-value where errors are 0 or 1, that of a paired t-test where they are sizes."""
    first, second = (side.answers.get(f"{model}.error") for side in (one, other))
    if first is None or second is None:
        return None
    if _counted(first, second):
        return mcnemar(first == 0, second == 0)
    return paired_t(first.tolist(), second.tolist())


def _counted(*errors: Tensor) -> bool:
    return all(bool(((each == 0) | (each == 1)).all()) for each in errors)


def _changes(one: Side, other: Side) -> dict[str, Change]:
    """Nothing where answers are not known, or not either right or wrong."""
    first, second = (side.answers.get("student.error") for side in (one, other))
    if first is None or second is None or not _counted(first, second):
        return {}
    if "student.answer" not in one.answers:  # nor in those of the other
        return {}
    before, after = first == 0, second == 0
    moved = one.answers["student.answer"] != other.answers["student.answer"]
    rows = {
        "fixed": ~before & after,
        "broken": before & ~after,
        "changed": moved & ~before & ~after,  # one wrong answer for another
    }
    return {kind: _change(one, other, where.nonzero()[:, 0]) for kind, where in rows.items()}


def _change(one: Side, other: Side, rows: Tensor) -> Change:
    shown = rows[:SHOWN].tolist()
    return Change(len(rows), [_example(one, other, row) for row in shown])


def _example(one: Side, other: Side, row: int) -> Example:
    index, target = int(one.answers["index"][row]), one.name(one.answers["target"][row])
    return Example(index, target, *_answer(one, row), *_answer(other, row))


def _answer(side: Side, row: int) -> tuple[str, float]:
    """The student's answer about the example, and how sure it is."""
    answer, confidence = (side.answers[f"student.{part}"] for part in ("answer", "confidence"))
    return side.name(answer[row]), float(confidence[row])
