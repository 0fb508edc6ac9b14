"""The comparison of a run's models: the one value that terminal, Markdown and HTML all print."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from kdistill.artifacts.result import Cost, Measure, ModelResult, Result
from kdistill.errors import UserError
from kdistill.printable import NAME, printable
from kdistill.report import numbers

MODELS = {"teacher": "Teacher", "baseline": "Student alone", "student": "Student distilled"}
ABBREVIATION = 3  # letters of a name up to which it is one: nll, ece
COMPRESSION = {  # key of Result.compression: where the student needs less, more, as much
    "parameters": ("fewer parameters", "more parameters", "the parameters"),
    "bytes": ("smaller on disk", "larger on disk", "the size on disk"),
    "multiply_adds": ("fewer multiply-adds", "more multiply-adds", "the multiply-adds"),
    "latency": ("faster at batch 1", "slower at batch 1", "the latency at batch 1"),
}


@dataclass(frozen=True)
class Cell:
    """One figure of one model."""

    text: str
    interval: str = ""  # 95 %: "67 to 104"
    value: float = 0.0


@dataclass(frozen=True)
class Line:
    """One measure or cost over the models."""

    name: str
    title: str
    hint: str  # unit, direction, n
    cells: dict[str, Cell] = field(default_factory=dict)  # by model; a model without it is absent


@dataclass(frozen=True)
class Saving:
    """How much less the student needs than the teacher."""

    name: str
    factor: str  # "4.2×"
    phrase: str  # "fewer parameters"


@dataclass(frozen=True)
class Member:
    """One network of an ensemble."""

    title: str
    figures: dict[str, str]  # by the title of the measure


@dataclass(frozen=True)
class Comparison:
    """Everything a report prints about the models, as text."""

    models: dict[str, str]  # titles of those the run has, teacher first
    measures: list[Line]  # the main one first
    costs: list[Line]
    savings: list[Saving]
    members: list[Member]
    seconds: list[tuple[str, str]]  # stage, duration
    signals: str  # what the teacher was asked


def compare(result: Result) -> Comparison:
    """Lay out `result`; UserError without a student or its main measure."""
    if main_measure(result, "student") is None:
        raise UserError("result.json: holds no student, so there is nothing to compare")
    models = {name: model for name in MODELS if (model := result.models.get(name))}
    student_first = [model.measures for model in reversed(models.values())]
    names = _order(result.main, student_first)
    teacher = models.get("teacher")
    return Comparison(
        models={name: MODELS[name] for name in models},
        measures=[_measure_line(name, title(name, result), models) for name in names],
        costs=_cost_lines(models),
        savings=[_saving(name, ratio) for name, ratio in result.compression.items() if ratio],
        members=_members(teacher, result) if teacher else [],
        seconds=[(name, numbers.duration(value)) for name, value in spent(result).items()],
        signals=signals_said(result),
    )


def main_measure(result: Result, model: str) -> Measure | None:
    """The measure that decides, of `model`; None when the run has no such model."""
    found = result.models.get(model)
    if found is None:
        return None
    if result.main not in found.measures:
        raise UserError(f"result.json: the {model} lacks the main measure {result.main!r}")
    return found.measures[result.main]


def title(name: str, *results: Result) -> str:
    """A figure's name as people write it: as a measure of that name says, else made of it."""
    for model in (model for result in results for model in result.models.values() if model):
        measure = model.measures.get(name) or model.validation.get(name)
        if measure and measure.title:
            return printable(measure.title, NAME)
    text = name.replace("_", " ")
    return printable(text.upper() if len(text) <= ABBREVIATION else text.capitalize(), NAME)


def _order(main: str, measured: Iterable[dict[str, Measure]]) -> list[str]:
    """Names of the measures that were taken: the main one, then as the models have them."""
    present = dict.fromkeys(name for measures in measured for name in measures)
    return [name for name in dict.fromkeys([main, *present]) if name in present]


def _measure_line(name: str, heading: str, models: dict[str, ModelResult]) -> Line:
    found = {key: model.measures[name] for key, model in models.items() if name in model.measures}
    one = next(iter(found.values()))
    unit = "" if one.unit in ("count", "fraction", "") else f"{one.unit}, "
    hint = f"{unit}{one.better} is better, n\u00a0=\u00a0{numbers.whole(one.n)}"
    return Line(name, heading, hint, {key: _measured(value) for key, value in found.items()})


def _measured(measure: Measure) -> Cell:
    ends = numbers.interval(*measure.interval, measure.unit) if measure.interval else ""
    return Cell(numbers.measured(measure.value, measure.unit), ends, measure.value)


def _cost_lines(models: dict[str, ModelResult]) -> list[Line]:
    costs = {name: model.cost for name, model in models.items() if model.cost}
    kinds = (
        ("parameters", "Parameters", "", numbers.scaled),
        ("bytes", "Size on disk", "saved weights", numbers.file_size),
        ("multiply_adds", "Multiply-adds", "one input, forward", numbers.scaled),
    )
    lines = []
    for name, heading, hint, form in kinds:
        values = {model: attrgetter(name)(cost) for model, cost in costs.items()}
        cells = {m: Cell(form(v), value=v) for m, v in values.items() if v is not None}
        lines.append(Line(name, heading, hint, cells))
    return [line for line in lines if line.cells] + _latency_lines(costs)


def _latency_lines(costs: dict[str, Cost]) -> list[Line]:
    lines = []
    for batch in dict.fromkeys(batch for cost in costs.values() for batch in cost.latency_ms):
        timed = {name: cost for name, cost in costs.items() if batch in cost.latency_ms}
        settings = dict.fromkeys(cost.latency_setting for cost in timed.values())
        cells = {
            name: Cell(numbers.milliseconds(value), value=value)
            for name, cost in timed.items()
            for value in [cost.latency_ms[batch]]
        }
        hint = f"median, {'; '.join(settings)}"
        lines.append(Line(f"latency_{batch}", f"Latency, batch {batch}", hint, cells))
    return lines


def _saving(name: str, ratio: float) -> Saving:
    less, more, same = COMPRESSION.get(name, (f"less {name}", f"more {name}", f"the {name}"))
    factor = numbers.times(max(ratio, 1 / ratio))
    if factor == numbers.times(1):
        return Saving(name, factor, same)
    return Saving(name, factor, less if ratio > 1 else more)


def _members(teacher: ModelResult, result: Result) -> list[Member]:
    return [
        Member(
            f"Member {position}",
            {
                title(name, result): _measured(measures[name]).text
                for name in _order(result.main, [measures])
            },
        )
        for position, member in enumerate(teacher.members, start=1)
        for measures in [member.measures]
    ]


def spent(result: Result) -> dict[str, float]:
    """Seconds by stage, without the stages of models that the run does not have."""
    of = {"teacher": "teacher", "signals": "teacher", "baseline": "baseline"}
    return {
        stage: value
        for stage, value in result.seconds.items()
        if stage not in of or result.models.get(of[stage]) is not None
    }


def signals_said(result: Result) -> str:
    """What the teacher was asked during the run; empty where there was nobody to ask."""
    mode = result.signals.get("mode")
    if mode == "live":
        return "The teacher answered live, at every step."
    if mode != "stored":
        return ""
    asked, reused = (numbers.whole(result.signals.get(key, 0)) for key in ("asked", "reused"))
    return f"The teacher was asked about {asked} inputs; {reused} answers were stored before."
