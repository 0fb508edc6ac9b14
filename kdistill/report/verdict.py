"""The verdict: in one sentence, whether distilling gained anything, and how sure that is."""

from typing import Literal

from kdistill.artifacts.result import Measure, Result
from kdistill.report import numbers
from kdistill.report.comparison import main_measure, title

CHANCE = 0.05  # a paired test's p at or above this calls a difference chance
Outcome = Literal["gain", "chance", "worse", "untested", "uncompared"]
SUBJECTS = {"baseline": "the same student alone", "teacher": "the teacher"}


def outcome(result: Result) -> Outcome:
    """What the student's main measure shows against the same student trained alone."""
    student, baseline = main_measure(result, "student"), main_measure(result, "baseline")
    if student is None or baseline is None:
        return "uncompared"
    p = _p_value(result)
    if p is None:
        return "untested"
    if p >= CHANCE or student.value == baseline.value:
        return "chance"
    return "gain" if _better(student, baseline) else "worse"


def verdict(result: Result) -> str:
    """The figures of all models, then what they mean."""
    kind, why_not = outcome(result), _weak(result)
    meanings = {
        "gain": f"{_closed(result)} ({_test(result)})",
        "chance": f"the difference is within chance ({_test(result)}), no gain shown{why_not}",
        "worse": f"distillation made the student worse ({_test(result)}){why_not}",
        "untested": _untested(result),
        "uncompared": "without the same student trained alone, the gain is unknown",
    }
    return f"{_figures(result)}: {meanings[kind]}."


def _figures(result: Result) -> str:
    student = main_measure(result, "student")
    assert student is not None  # compare() refuses a result without a student
    value = numbers.measured(student.value, student.unit)
    n, name = numbers.whole(student.n), title(result.main, result)
    if student.unit == "count" and " " not in name:  # "Errors"
        noun = name.lower().removesuffix("s" if student.value == 1 else "")
        said = f"The distilled student makes {value} {noun} of {n}"
    else:
        said = (
            f"{name} ({student.better} is better, n = {n}) "
            f"of the distilled student is {value}{_unit(student)}"
        )
    others = [
        f"{subject} {numbers.measured(measure.value, measure.unit)}"
        for name, subject in SUBJECTS.items()
        if (measure := main_measure(result, name))
    ]
    return ", ".join([said, *others])


def _untested(result: Result) -> str:
    student, baseline = main_measure(result, "student"), main_measure(result, "baseline")
    if student and baseline and _better(student, baseline):
        return f"{_closed(result)}, but no paired test says whether that is more than chance"
    return "no gain, and no paired test of the difference"


def _closed(result: Result) -> str:
    closed = result.gain.closed_gap
    if closed is None:
        return f"distillation helped{_weak(result).replace(';', ', though')}"
    if closed > 1:
        return "distillation closed the whole gap and the student passed its teacher"
    if closed == 1:
        return "distillation closed the whole gap"
    return f"distillation closed {min(99, round(100 * closed))} % of the gap"


def _weak(result: Result) -> str:
    """The plainest reason for no gain: there was nothing to learn from the teacher."""
    teacher, baseline = main_measure(result, "teacher"), main_measure(result, "baseline")
    if teacher is None or baseline is None or _better(teacher, baseline):
        return ""
    return "; the teacher is no better than the student alone"


def _test(result: Result) -> str:
    p = _p_value(result)
    return f"{result.gain.test} {numbers.probability(p)}" if p is not None else ""


def _p_value(result: Result) -> float | None:
    """Of the paired test, where that judges the main measure."""
    return result.gain.p_value if result.main in result.gain.measures else None


def _better(one: Measure, other: Measure) -> bool:
    return one.value > other.value if one.better == "higher" else one.value < other.value


def _unit(measure: Measure) -> str:
    return "" if measure.unit in ("count", "fraction", "") else f" {measure.unit}"
