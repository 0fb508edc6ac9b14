"""The verdict says what the figures allow, and no more."""

from dataclasses import replace

import pytest

from kdistill.artifacts.result import Gain, Measure, ModelResult, Result
from kdistill.errors import UserError
from kdistill.report.verdict import outcome, verdict

FIGURES = (
    "The distilled student makes 84 errors of 10,000, the same student alone 151, the teacher 71"
)


def gained(result: Result, closed: float | None, p: float | None) -> Result:
    return replace(result, gain=replace(result.gain, closed_gap=closed, p_value=p))


def without(result: Result, model: str) -> Result:
    return replace(result, models={**result.models, model: None})


def scored(result: Result, errors: float) -> Result:
    """`result` with another number of errors of the student."""
    student = result.models["student"]
    assert student is not None
    changed = replace(student.measures["errors"], value=errors)
    student = replace(student, measures={**student.measures, "errors": changed})
    return replace(result, models={**result.models, "student": student})


def test_gain(result: Result) -> None:
    assert outcome(result) == "gain"
    assert verdict(result) == (
        f"{FIGURES}: distillation closed 84 % of the gap (McNemar p = 2e-6)."
    )


def test_a_difference_within_chance_is_no_gain(result: Result) -> None:
    chance = gained(result, 0.84, 0.05)
    assert outcome(chance) == "chance"
    assert verdict(chance) == (
        f"{FIGURES}: the difference is within chance (McNemar p = 0.05), no gain shown."
    )


def test_worse(result: Result) -> None:
    worse = gained(scored(result, 190), -0.49, 0.004)
    assert outcome(worse) == "worse"
    assert verdict(worse).endswith(
        "makes 190 errors of 10,000, the same student alone 151, the teacher 71: "
        "distillation made the student worse (McNemar p = 0.004)."
    )


@pytest.mark.parametrize("errors", [151, 170])
def test_no_gain_from_a_teacher_that_has_none_to_give(result: Result, errors: float) -> None:
    teacher = result.models["teacher"]
    assert teacher is not None
    weak = replace(teacher.measures["errors"], value=errors)
    teacher = replace(teacher, measures={**teacher.measures, "errors": weak})
    untaught = replace(result, models={**result.models, "teacher": teacher})
    reason = "; the teacher is no better than the student alone."
    for found in (gained(untaught, None, 0.6), gained(scored(untaught, 190), None, 0.004)):
        assert verdict(found).endswith(reason)
    helped = verdict(gained(untaught, None, 0.001))
    assert "distillation helped, though the teacher is no better than the student alone (" in helped


@pytest.mark.parametrize(
    ("closed", "words"),
    [
        (0.997, "distillation closed 99 % of the gap ("),
        (1.0, "distillation closed the whole gap ("),
        (1.2, "distillation closed the whole gap and the student passed its teacher ("),
        (None, "distillation helped ("),
    ],
)
def test_share_of_the_gap(result: Result, closed: float | None, words: str) -> None:
    assert words in verdict(gained(result, closed, 0.001))


def test_without_a_test_nothing_is_claimed_for_sure(result: Result) -> None:
    untested = gained(result, 0.84, None)
    assert outcome(untested) == "untested"
    assert "but no paired test says whether that is more than chance" in verdict(untested)
    assert verdict(scored(untested, 151)).endswith("no gain, and no paired test of the difference.")


def test_without_a_baseline_the_gain_is_unknown(result: Result) -> None:
    alone = gained(without(result, "baseline"), None, None)
    assert outcome(alone) == "uncompared"
    assert verdict(alone) == (
        "The distilled student makes 84 errors of 10,000, the teacher 71: "
        "without the same student trained alone, the gain is unknown."
    )


def test_without_a_teacher_nothing_is_said_of_it(result: Result) -> None:
    assert "teacher" not in verdict(gained(without(result, "teacher"), None, 0.001))


def test_one_error_is_singular(result: Result) -> None:
    assert "makes 1 error of" in verdict(scored(result, 1))


def test_density_runs_name_their_measure_and_higher_is_better(result: Result) -> None:
    values = {"teacher": -83.92, "student": -84.1, "baseline": -86.3}
    density = replace(
        result,
        main="log_likelihood",
        gain=Gain(0.84, 2e-6, "paired t-test", ["log_likelihood"]),
        models={
            name: ModelResult(
                {"log_likelihood": Measure(value, 500, None, "nats", "higher", "Log-likelihood")}
            )
            for name, value in values.items()
        },
    )
    assert outcome(density) == "gain"
    assert verdict(density) == (
        "Log-likelihood (higher is better, n = 500) of the distilled student is -84.10 nats, "
        "the same student alone -86.30, the teacher -83.92: "
        "distillation closed 84 % of the gap (paired t-test p = 2e-6)."
    )


def test_a_test_decides_only_what_it_judges(result: Result) -> None:
    assert outcome(replace(result, main="nll")) == "untested"
    assert "McNemar" not in verdict(replace(result, main="nll"))
    by_t = replace(result, main="nll", gain=replace(result.gain, test="t-test", measures=["nll"]))
    assert "(t-test p = 2e-6)" in verdict(by_t)


def test_what_is_counted_is_named_by_its_title(result: Result) -> None:
    student = result.models["student"]
    assert student is not None
    counted = replace(student.measures["errors"], title="Misses")
    missed = replace(student, measures={"misses": counted})
    two = replace(result, main="misses", models={"student": missed})
    assert verdict(two).startswith("The distilled student makes 84 misses of 10,000: ")
    counted = replace(counted, title="Frames missed")
    missed = replace(student, measures={"misses": counted})
    two = replace(result, main="misses", models={"student": missed})
    assert verdict(two).startswith("Frames missed (lower is better, n = 10,000) of the distilled")


def test_a_result_without_its_main_measure_is_refused_by_name(result: Result) -> None:
    with pytest.raises(UserError, match="the student lacks the main measure 'f1'"):
        verdict(replace(result, main="f1"))
