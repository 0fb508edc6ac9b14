"""Training curves read the history as it was written."""

from dataclasses import replace
from typing import Any

from kdistill.artifacts.result import Result
from kdistill.report.curves import training_curves
from kdistill.report.watched import watched_charts


def line(stage: str, epoch: int, errors: float, total: float) -> dict[str, Any]:
    return {
        "stage": stage,
        "epoch": epoch,
        "validation": {"errors": errors, "nll": 0.1},
        "terms": {"total": total},
    }


def test_a_resumed_epoch_counts_once_with_its_later_value(result: Result) -> None:
    history = [line("student", 1, 50, 2), line("student", 2, 40, 1), line("student", 2, 30, 1)]
    validation, _ = training_curves(result, history)
    assert validation.alternative == "Student distilled: 50 after epoch 1, 30 after epoch 2."


def test_a_main_measure_that_validation_lacks_falls_back_to_the_first(result: Result) -> None:
    validation, loss = training_curves(replace(result, main="ece"), [line("student", 1, 50, 2)])
    assert validation.title == "Errors on validation data"
    assert loss.title == "Training loss"
    validation, _ = training_curves(replace(result, main="nll"), [line("student", 1, 50, 2)])
    assert validation.title == "NLL on validation data"


def test_members_are_summed_up(result: Result) -> None:
    history = [line("teacher 1/2", 1, 9, 2), line("teacher 2/2", 1, 7, 2)]
    validation, _ = training_curves(result, history)
    assert validation.alternative == "Teacher's networks end between 7 and 9."
    assert validation.svg.count("Teacher's members") == 1


def test_zero_errors_and_an_empty_history_can_be_drawn(result: Result) -> None:
    validation, _ = training_curves(result, [line("student", 1, 0, 2), line("student", 2, 90, 1)])
    assert "0 after epoch 1, 90 after epoch 2" in validation.alternative
    assert training_curves(result, []) == []


def test_a_lone_teacher_is_no_range(result: Result) -> None:
    validation, _ = training_curves(result, [line("teacher", 1, 7, 2)])
    assert validation.alternative == "Teacher ends at 7."
    assert "members" not in validation.svg


def test_losses_of_two_students_are_not_to_be_compared(result: Result) -> None:
    alone = [line("student", 1, 50, 2)]
    both = [*alone, line("baseline", 1, 50, 3)]
    said = [training_curves(result, history)[1].alternative for history in (alone, both)]
    assert ["different losses" in each for each in said] == [False, True]


def watched(stage: str, epoch: int, training: float, held: float) -> dict[str, Any]:
    """A line whose accuracy is known in training and on validation data."""
    made = line(stage, epoch, 5, 1.0)
    accurate = {**made["validation"], "accuracy": held}
    return {**made, "validation": accurate, "training": {"accuracy": training}}


def test_what_is_watched_in_training_stands_beside_validation(result: Result) -> None:
    history = [
        watched("teacher", 1, 0.5, 0.91),
        watched("student", 1, 0.8, 0.9),
        watched("student", 2, 0.9, 0.95),
        watched("baseline", 1, 0.9, 0.8),
        watched("baseline", 2, 1.0, 0.8766),
    ]
    (chart,) = watched_charts(result, history)
    assert chart.title == "Accuracy while training"
    assert chart.alternative == (
        "Student distilled: 90.00 % in training and 95.00 % on validation data after epoch 2. "
        "Student alone: 100.00 % in training and 87.66 % on validation data after epoch 2. "
        "Training accuracy is that of the answers given in the steps of the epoch, validation "
        "accuracy that of the weights at its end."
    )
    assert chart.svg.count(", training") == chart.svg.count(", validation") == 2
    assert watched_charts(result, [line("student", 1, 1000, 1.0)]) == []
    # it has a chart of its own, so that of validation data shows another, if it can
    validation, _ = training_curves(replace(result, main="accuracy"), history)
    assert validation.title == "Errors on validation data"


def test_a_figure_of_no_measure_is_shown_as_it_is(result: Result) -> None:
    made = {**line("student", 1, 5, 1.0), "training": {"map": 0.25}, "validation": {"map": 0.5}}
    (chart,) = watched_charts(result, [made])
    assert chart.title == "MAP while training"
    assert "0.2500 in training and 0.5000 on validation data after epoch 1" in chart.alternative
    assert "validation MAP that of" in chart.alternative
