"""Two runs compared: what differs in config and measures, and which answers changed."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from kdistill.artifacts.result import Measure, ModelResult, Result
from kdistill.errors import UserError
from kdistill.measures.significance import mcnemar, paired_t
from kdistill.report.diff import SHOWN, Side, diff

LABELS = torch.tensor([0, 1, 2, 0, 1, 2])
BEFORE = torch.tensor([0, 1, 1, 1, 2, 0])  # right: 0, 1
AFTER = torch.tensor([0, 2, 2, 0, 0, 0])  # fixed: 2, 3; broken: 1; 4 wrong otherwise; 5 the same


def answers(said: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
    kept = {"index": 100 + torch.arange(len(labels)), "target": labels}
    for model, answer in said.items():
        kept |= {f"{model}.error": (answer != labels).float(), f"{model}.answer": answer}
        kept[f"{model}.confidence"] = torch.full((len(labels),), 0.8)
    return kept


def side(result: Result, said: Tensor, config: dict[str, object]) -> Side:
    labels = LABELS.repeat(len(said) // 6)
    found = result.models["student"]
    assert found is not None
    errors = Measure(int((said != labels).sum()), len(said), None, "count", "lower")
    student = ModelResult({**found.measures, "errors": errors})
    data = {**result.dataset, "classes": ["cat", "dog", "owl"]}
    result = replace(result, dataset=data, models={**result.models, "student": student})
    return Side(result, config, answers({"student": said, "teacher": labels}, labels))


@pytest.fixture
def pair(result: Result) -> tuple[Side, Side]:
    return side(result, BEFORE, {"seed": 0}), side(result, AFTER, {"seed": 0})


def test_each_changed_answer_is_counted_in_its_way(pair: tuple[Side, Side]) -> None:
    found = diff(*pair)
    assert found.tested == 6
    assert {kind: change.count for kind, change in found.changes.items()} == {
        "fixed": 2,
        "broken": 1,
        "changed": 1,
    }
    rows = {
        kind: [(each.index, each.label, each.one, each.other) for each in change.examples]
        for kind, change in found.changes.items()
    }
    assert rows == {
        "fixed": [(102, "owl", "dog", "owl"), (103, "cat", "dog", "cat")],
        "broken": [(101, "dog", "dog", "owl")],
        "changed": [(104, "dog", "owl", "cat")],
    }
    (example,) = found.changes["broken"].examples
    assert (example.one_probability, example.other_probability) == pytest.approx((0.8, 0.8))


def test_the_other_way_round_what_was_fixed_is_broken(pair: tuple[Side, Side]) -> None:
    there, back = diff(*pair).changes, diff(*reversed(pair)).changes
    assert back["broken"].count == there["fixed"].count
    assert back["fixed"].count == there["broken"].count
    assert back["changed"].count == there["changed"].count


def test_a_run_does_not_differ_from_itself(pair: tuple[Side, Side]) -> None:
    found = diff(pair[0], pair[0])
    assert found.config == []
    assert all(change.count == 0 for change in found.changes.values())
    assert all(each.one == each.other for each in found.measures)
    assert {each.p_value for each in found.measures if each.name == "errors"} == {1.0, None}


def test_only_the_first_ten_of_many_are_listed(result: Result) -> None:
    right = torch.cat([LABELS] * 4)
    wrong = side(result, (right + 1) % 3, {})
    change = diff(wrong, side(result, right, {})).changes["fixed"]
    assert (change.count, len(change.examples)) == (24, SHOWN)
    assert [each.index for each in change.examples] == list(range(100, 110))


def test_measures_stand_side_by_side_with_mcnemars_test_where_it_judges_them(
    pair: tuple[Side, Side],
) -> None:
    found = diff(*pair)
    first = found.measures[0]
    assert (first.model, first.name) == ("student", "errors")
    assert (first.one.value, first.other.value) == (4, 3)
    assert first.p_value == mcnemar(BEFORE == LABELS, AFTER == LABELS) == 1.0
    tested = {(each.model, each.name) for each in found.measures if each.p_value is not None}
    assert tested == {(m, n) for m in ("student", "teacher") for n in ("errors", "accuracy")}
    assert {each.model for each in found.measures} == {"student", "baseline", "teacher"}


def test_errors_that_are_sizes_are_compared_by_a_paired_t_test(
    pair: tuple[Side, Side],
) -> None:
    sizes = [torch.arange(6) / 3, torch.tensor([0.1, 0.2, 0.4, 0.4, 0.5, 0.9])]
    one, other = (
        replace(side, answers={**side.answers, "student.error": size})
        for side, size in zip(pair, sizes, strict=True)
    )
    found = diff(one, other)
    assert found.measures[0].p_value == paired_t(*(size.tolist() for size in sizes))
    assert found.changes == {}  # nothing is simply right


def test_what_is_no_class_is_a_number(pair: tuple[Side, Side]) -> None:
    named = pair[0].name
    assert [named(torch.tensor(value)) for value in (0, 3, -1, 0.25)] == [
        "cat",
        "3",
        "-1",
        "0.2500",
    ]


def test_without_answers_of_a_model_nothing_is_tested_of_it(pair: tuple[Side, Side]) -> None:
    some = {name: each for name, each in pair[1].answers.items() if "." not in name}
    found = diff(pair[0], replace(pair[1], answers=some))
    assert all(each.p_value is None for each in found.measures)
    assert found.changes == {}


def test_keys_that_differ_are_named_with_both_values(result: Result) -> None:
    one = side(result, BEFORE, {"seed": 0, "loss": {"temperature": 4, "hard_weight": 0.1}})
    other = side(result, BEFORE, {"seed": 1, "loss": {"temperature": 8, "hard_weight": 0.1}})
    assert diff(one, other).config == [("seed", 0, 1), ("loss.temperature", 4, 8)]


@pytest.mark.parametrize("key", ["index", "target"])
def test_other_test_examples_are_neither_tested_nor_compared(
    key: str, pair: tuple[Side, Side]
) -> None:
    moved = {**pair[1].answers, key: pair[1].answers[key].flip(0)}
    found = diff(pair[0], replace(pair[1], answers=moved))
    assert (found.changes, found.tested) == ({}, 0)
    assert all(each.p_value is None for each in found.measures)
    assert found.measures[0].other.value == 3  # the figures are shown all the same


def test_other_data_sets_are_refused(pair: tuple[Side, Side]) -> None:
    data = {**pair[1].result.dataset, "name": "digits"}
    other = replace(pair[1], result=replace(pair[1].result, dataset=data))
    with pytest.raises(UserError, match="different data sets: mnist and digits"):
        diff(pair[0], other)
