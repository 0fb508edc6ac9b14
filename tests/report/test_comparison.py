"""The comparison holds every figure of the result, the main measure first."""

from dataclasses import replace

import pytest

from kdistill.artifacts.result import Measure, Result
from kdistill.errors import UserError
from kdistill.report import numbers
from kdistill.report.comparison import compare


def test_every_measure_of_every_model_is_there_and_no_other(result: Result) -> None:
    lines = {line.name: line for line in compare(result).measures}
    for name, model in result.models.items():
        assert model is not None
        for measure, figure in model.measures.items():
            cell = lines[measure].cells[name]
            assert cell.value == figure.value
            assert cell.text == numbers.measured(figure.value, figure.unit)
    assert sum(len(line.cells) for line in lines.values()) == sum(
        len(model.measures) for model in result.models.values() if model
    )


def test_the_main_measure_comes_first(result: Result) -> None:
    assert compare(result).measures[0].name == "errors"
    first, *others = compare(replace(result, main="nll")).measures
    assert first.name == "nll"
    assert "nll" not in [line.name for line in others]
    assert list(compare(replace(result, main="nll")).members[0].figures)[0] == "NLL"


def test_measures_stand_in_the_students_order_under_their_titles(result: Result) -> None:
    student = result.models["student"]
    assert student is not None
    top = Measure(0.5, 10, None, "fraction", "higher")
    new = {"top_five": top, **student.measures, "map": top, "seen": replace(top, title="Sights")}
    models = {**result.models, "student": replace(student, measures=new)}
    lines = compare(replace(result, models=models)).measures
    assert [line.name for line in lines] == [*dict.fromkeys(["errors", *new])]
    titles = {line.name: line.title for line in lines}
    assert [titles[name] for name in ("top_five", "map", "seen")] == ["Top five", "MAP", "Sights"]


def test_hints_give_unit_direction_and_cases(result: Result) -> None:
    hints = {line.name: line.hint for line in compare(result).measures}
    assert hints["nll"] == "nats, lower is better, n\u00a0=\u00a010,000"
    assert hints["errors"] == "lower is better, n\u00a0=\u00a010,000"


def test_costs_name_batch_and_threads(result: Result) -> None:
    lines = {line.title: line for line in compare(result).costs}
    assert lines["Latency, batch 256"].hint == "median, 2 threads, cpu"
    assert lines["Latency, batch 1"].cells["teacher"].text == "1.50 ms"
    assert lines["Parameters"].cells["student"].text == "1.28 M"


def test_a_cost_that_was_not_counted_leaves_its_line_out(result: Result) -> None:
    models = {
        name: replace(model, cost=replace(model.cost, multiply_adds=None))
        for name, model in result.models.items()
        if model and model.cost
    }
    titles = [line.title for line in compare(replace(result, models=models)).costs]
    assert "Multiply-adds" not in titles
    assert "Parameters" in titles


def test_savings_say_which_way_they_go(result: Result) -> None:
    factors = {"parameters": 4.24, "bytes": 1.01, "multiply_adds": 0.5, "latency": None}
    savings = compare(replace(result, compression=factors)).savings
    assert [f"{saving.factor} {saving.phrase}" for saving in savings] == [
        "4.2× fewer parameters",
        "1.0× the size on disk",
        "2.0× more multiply-adds",
    ]


@pytest.mark.parametrize("missing", ["teacher", "baseline"])
def test_a_missing_model_has_no_column(result: Result, missing: str) -> None:
    compared = compare(replace(result, models={**result.models, missing: None}))
    assert missing not in compared.models
    assert all(missing not in line.cells for line in [*compared.measures, *compared.costs])
    assert bool(compared.members) == (missing != "teacher")


def test_a_result_without_a_student_is_refused(result: Result) -> None:
    with pytest.raises(UserError, match="no student"):
        compare(replace(result, models={**result.models, "student": None}))


@pytest.mark.parametrize(
    ("signals", "words"),
    [
        ({"mode": "none"}, ""),
        ({"mode": "live", "teacher": "abad1dea"}, "The teacher answered live, at every step."),
        (
            {"mode": "stored", "asked": 0, "reused": 3500},
            "The teacher was asked about 0 inputs; 3,500 answers were stored before.",
        ),
    ],
)
def test_signals_say_what_was_asked_and_reused(
    result: Result, signals: dict[str, object], words: str
) -> None:
    assert compare(replace(result, signals=signals)).signals == words
