"""The answer of a sweep in words: for each setting of the other keys, which value is best."""

from kdistill.measures.significance import holm
from kdistill.report.sweep.names import figure, settings, short
from kdistill.report.sweep.summary import VALIDATION, Row, Sweep, best_of, paired
from kdistill.report.sweep.values import number

CHANCE = 0.05  # a corrected p at or above this calls a difference chance
HOW = (
    "Best by the student's mean validation figure. Each other value is compared with it on the "
    "test set by a t-test paired over the seeds of both, corrected for how many values there are "
    f"(Holm, {CHANCE:g})."
)


def answers(sweep: Sweep) -> list[str]:
    """A sentence for each setting, then how they were found; none where no number was swept.

    Of several swept numbers it is the one with the most values.
    """
    counts = [len({row.values[place] for row in sweep.rows}) for place in _numbers(sweep)]
    if not counts or max(counts) < 2 or sweep.best is None:
        return []
    place = _numbers(sweep)[counts.index(max(counts))]
    found = settings(sweep, place)
    said = [_answer(sweep, place, label, rows) for label, rows in found.items() if len(rows) > 1]
    told = [sentence for sentence in said if sentence]
    return [*told, HOW] if told else []


def _numbers(sweep: Sweep) -> list[int]:
    """Places of the keys that some row gives a number."""
    places = range(len(sweep.keys))
    return [at for at in places if any(number(row.values[at]) is not None for row in sweep.rows)]


def _answer(sweep: Sweep, place: int, label: str, rows: list[Row]) -> str:
    best = best_of(rows, sweep.main)
    if best is None:
        return ""
    name, validation = short(sweep.keys)[place], figure(best, VALIDATION, sweep.main)
    said = f"best at {name}={best.values[place]} (validation {validation}); "
    others = [row for row in rows if row is not best and row.figures("student", sweep.main)]
    if not others:
        return ""
    told = f"{said}{_others(best, others, sweep.main, place)}."
    return f"{label}: {told}" if label else f"{told[0].upper()}{told[1:]}"


def _others(best: Row, others: list[Row], main: str, place: int) -> str:
    """'8 is not told apart from it; 1 and 2 are worse'."""
    tested = [(row, p) for row in others if (p := paired(best, row, main)) is not None]
    kinds: dict[str, list[str]] = {"alike": [], "worse": [], "better": [], "untested": []}
    corrected = holm([p for _, p in tested])
    for (row, _), p in zip(tested, corrected, strict=True):
        kind = "alike" if p >= CHANCE else "worse" if _worse(row, best, main) else "better"
        kinds[kind].append(row.values[place])
    done = [row for row, _ in tested]
    kinds["untested"] = [row.values[place] for row in others if row not in done]
    words = {
        "alike": ("is not told apart from it", "are not told apart from it"),
        "worse": ("is worse", "are worse"),
        "better": ("is better on the test set", "are better on the test set"),
        "untested": ("cannot be tested", "cannot be tested"),
    }
    told = ((values, words[kind]) for kind, values in kinds.items() if values)
    return "; ".join(f"{_listed(values)} {verbs[len(values) > 1]}" for values, verbs in told)


def _worse(row: Row, best: Row, main: str) -> bool:
    one, other = row.spread("student", main), best.spread("student", main)
    assert one is not None  # it was tested
    assert other is not None
    return (one.mean > other.mean) == (one.better == "lower")


def _listed(values: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(values[:-1]), values[-1])))
