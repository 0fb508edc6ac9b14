"""Training curves read the history as it was written."""

from dataclasses import replace
from typing import Any

from kdistill.artifacts.result import Result
from kdistill.report.curves import WHEN, accuracy_curves, training_curves


def line(stage: str, epoch: int, errors: float, total: float) -> dict[str, Any]:
    return {
        "stage": stage,
        "epoch": epoch,
        "validation": {"nll": 0.1, "errors": errors},
        "terms": {"total": total},
    }


def test_a_resumed_epoch_counts_once_with_its_later_value() -> None:
    history = [line("student", 1, 50, 2), line("student", 2, 40, 1), line("student", 2, 30, 1)]
    validation, _ = training_curves(history, "errors")
    assert validation.alternative == "Student distilled: 50 after epoch 1, 30 after epoch 2."


def test_a_main_measure_that_validation_lacks_falls_back_to_errors() -> None:
    validation, loss = training_curves([line("student", 1, 50, 2)], "ece")
    assert validation.title == "Errors on validation data"
    assert loss.title == "Training loss"


def test_members_are_summed_up() -> None:
    history = [line("teacher 1/2", 1, 9, 2), line("teacher 2/2", 1, 7, 2)]
    validation, _ = training_curves(history, "errors")
    assert validation.alternative == "Teacher's networks end between 7 and 9."
    assert validation.svg.count("Teacher's members") == 1


def test_zero_errors_and_an_empty_history_can_be_drawn() -> None:
    validation, _ = training_curves([line("student", 1, 0, 2), line("student", 2, 90, 1)], "errors")
    assert "0 after epoch 1, 90 after epoch 2" in validation.alternative
    assert training_curves([], "errors") == []


def test_a_lone_teacher_is_no_range() -> None:
    validation, _ = training_curves([line("teacher", 1, 7, 2)], "errors")
    assert validation.alternative == "Teacher ends at 7."
    assert "members" not in validation.svg


def test_losses_of_two_students_are_not_to_be_compared() -> None:
    alone = [line("student", 1, 50, 2)]
    both = [*alone, line("baseline", 1, 50, 3)]
    said = [training_curves(history, "errors")[1].alternative for history in (alone, both)]
    assert ["different losses" in each for each in said] == [False, True]


def test_training_and_validation_accuracy_stand_side_by_side(result: Result) -> None:
    """The result's models have errors of 10,000 validation cases, say."""
    models = {
        name: replace(model, validation=model.measures) if model else None
        for name, model in result.models.items()
    }
    measured = replace(result, models=models)
    history = [
        {**line(stage, epoch, errors, 1.0), "training": {"accuracy": right}}
        for stage, epoch, errors, right in (
            ("teacher", 1, 900, 0.5),
            ("student", 1, 1000, 0.8),
            ("student", 2, 500, 0.9),
            ("baseline", 1, 2000, 0.9),
            ("baseline", 2, 1234, 1.0),
        )
    ]
    chart = accuracy_curves(measured, history)
    assert chart is not None
    assert chart.alternative == (
        "Student distilled: 90.00 % of the training and 95.00 % of the validation examples after "
        "epoch 2. Student alone: 100.00 % of the training and 87.66 % of the validation examples "
        f"after epoch 2. {WHEN}"
    )
    assert chart.svg.count(", training") == chart.svg.count(", validation") == 2
    assert accuracy_curves(measured, [line("student", 1, 1000, 1.0)]) is None  # an older history
    assert accuracy_curves(result, history) is None  # nothing says of how many cases
