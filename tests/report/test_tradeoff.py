"""The main measure against size."""

import re
from dataclasses import replace

import pytest

from kdistill.artifacts.result import Result
from kdistill.report.charts import Chart
from kdistill.report.tradeoff import tradeoff

MARK = r'<use [^>]*x="([\d.]+)" y="([\d.]+)" style="fill: var\(--{}\)'


def place(chart: Chart | None, model: str) -> tuple[float, float]:
    """Where the model's mark is drawn (x right, y down); those of the legend come later."""
    assert chart is not None
    found = re.findall(MARK.format(model), chart.svg)
    marks = [(float(x), float(y)) for x, y in found]
    return max(marks, key=lambda mark: sum(other[0] != mark[0] for other in marks))


@pytest.mark.parametrize("same_size", [False, True])
def test_fewer_errors_are_lower_and_fewer_parameters_further_left(
    result: Result, same_size: bool
) -> None:
    if same_size:
        student, teacher = result.models["student"], result.models["teacher"]
        assert student is not None
        assert teacher is not None
        teacher = replace(teacher, cost=student.cost)
        result = replace(result, models={**result.models, "teacher": teacher})
    places = {name: place(tradeoff(result), name) for name in result.models}
    assert places["baseline"][1] < places["student"][1] < places["teacher"][1]
    assert places["baseline"][0] < places["student"][0]
    assert 5 < places["student"][0] - places["baseline"][0] < 40  # apart, yet of one size
    assert (places["teacher"][0] - places["student"][0] > 60) != same_size


def test_a_model_of_no_parameters_has_no_place(result: Result) -> None:
    teacher = result.models["teacher"]
    assert teacher is not None
    assert teacher.cost is not None
    bare = replace(teacher, cost=replace(teacher.cost, parameters=0))
    chart = tradeoff(replace(result, models={**result.models, "teacher": bare}))
    assert chart is not None
    assert "Teacher: " not in chart.alternative
    assert "Teacher: " in tradeoff(result).alternative  # type: ignore[union-attr]


def test_one_model_alone_has_no_chart(result: Result) -> None:
    models = {**result.models, "teacher": None, "baseline": None}
    assert tradeoff(replace(result, models=models)) is None


def test_members_stand_where_their_size_is_known(result: Result) -> None:
    teacher = result.models["teacher"]
    assert teacher is not None
    members = [replace(member, cost=None) for member in teacher.members]
    models = {**result.models, "teacher": replace(teacher, members=members)}
    chart, without = tradeoff(result), tradeoff(replace(result, models=models))
    assert chart is not None
    assert without is not None
    assert "The teacher's 5 members alone: 90 to 102" in chart.alternative
    assert ">2.39 M</text>" in chart.svg
    assert "members" not in without.alternative + without.svg


def test_labels_of_sizes_do_not_touch(result: Result) -> None:
    student = result.models["student"]
    assert student is not None
    assert student.cost is not None
    small = replace(student, cost=replace(student.cost, parameters=2_000))
    chart = tradeoff(replace(result, models={**result.models, "student": small}))
    assert chart is not None
    assert re.findall(r">([\d.]+ [kM])</text>", chart.svg) == ["12.0 M", "1.28 M", "2.00 k"]
