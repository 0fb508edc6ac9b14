"""The table of a sweep as text: the one value that terminal, Markdown and HTML all print."""

from dataclasses import dataclass

from kdistill.report import numbers
from kdistill.report.comparison import MODELS
from kdistill.report.sweep.answers import answers
from kdistill.report.sweep.names import figure, named, short
from kdistill.report.sweep.summary import VALIDATION, Row, Sweep

HEADINGS = {VALIDATION: "Validation"} | {
    model: MODELS[model] for model in ("student", "baseline", "teacher")
}


@dataclass(frozen=True)
class SweepTable:
    """Headings, the cells of each row, and what is said around them."""

    name: str  # of the experiment and of the sweep's folder
    verdict: str
    head: list[str]
    rows: list[list[str]]
    best: int | None  # which row is marked
    keys: int  # so many columns from the left are the swept keys
    answers: list[str]  # in words, which value is best
    notes: list[str]
    problems: list[str]  # jobs that failed, jobs that are not finished


def tabulate(sweep: Sweep) -> SweepTable:
    """Lay out `sweep`."""
    models = [key for key in HEADINGS if any(r.spread(key, sweep.main) for r in sweep.rows)]
    compared = sweep.best is not None and len(sweep.rows) > 1
    head = [*short(sweep.keys), "Seeds", *(HEADINGS[key] for key in models)]
    folder = sweep.folder.resolve()
    return SweepTable(
        name=f"{folder.parent.name}/{folder.name}",
        verdict=_verdict(sweep, compared),
        head=[*head, *(["Best against it"] if compared else [])],
        rows=[_cells(sweep, row, models, compared) for row in sweep.rows],
        best=sweep.rows.index(sweep.best) if compared and sweep.best else None,
        keys=len(sweep.keys),
        answers=answers(sweep),
        notes=_notes(sweep, compared),
        problems=_problems(sweep),
    )


def _cells(sweep: Sweep, row: Row, models: list[str], compared: bool) -> list[str]:
    cells = [*row.values, _seeds(row), *(figure(row, model, sweep.main) for model in models)]
    return [*cells, *([_against(sweep, row)] if compared else [])]


def _seeds(row: Row) -> str:
    """'3', or '2, 1 failed'."""
    wrong = [f"{n} {state}" for state in ("failed", "unfinished") if (n := row.count(state))]
    return ", ".join([str(len(row.results)), *wrong])


def _against(sweep: Sweep, row: Row) -> str:
    if row is sweep.best:
        return "best"
    if not row.figures("student", sweep.main):
        return ""
    p = sweep.p_value(row)
    return "no test" if p is None else numbers.probability(p)


def _verdict(sweep: Sweep, compared: bool) -> str:
    if not sweep.main:
        return "No job is finished."
    if sweep.best is None:
        return "No row is called best: that takes validation data and one test set for all."
    row, name = sweep.best, sweep.title(sweep.main)
    said = [
        f"{words} {text}"
        for model, words in (
            ("student", "distilled"),
            ("baseline", "the student alone"),
            ("teacher", "the teacher"),
        )
        if (text := figure(row, model, sweep.main))
    ]
    chosen = f"Best by validation: {named(sweep, row)}. " if compared else ""
    return f"{chosen}{name} on the test set: {', '.join(said)}."


def _notes(sweep: Sweep, compared: bool) -> list[str]:
    spreads = (row.spread("student", sweep.main) for row in sweep.rows)
    better = next((spread.better for spread in spreads if spread), "")
    notes = []
    if better:
        kind = f"{sweep.title(sweep.main)}, {better} is better"
        notes.append(
            f"{kind}: mean ± deviation (n - 1) over seeds, on the test set; "
            "Validation is that of the distilled student on validation data."
        )
    if compared:
        others = len(sweep.rows) - 1
        uncorrected = f"; not corrected for there being {others} tests" if others > 1 else ""
        notes.append(
            "The best row is chosen by the student's validation figure, never by the test set. "
            "p: paired t-test of the best row against each other one, over the seeds of both, "
            f"on the test set{uncorrected}."
        )
    if compared and (level := _level(sweep)):
        notes.append(f"As good by validation: {'; '.join(level)}.")
    if compared and all(sweep.p_value(row) is None for row in sweep.rows if row is not sweep.best):
        notes.append("No test is possible: that takes two seeds a row or more (seed=0,1,2).")
    if sweep.shared:
        alike = " ".join(f"{key}={value}" for key, value in sweep.shared.items())
        notes.append(f"All jobs: {alike}.")
    return notes


def _level(sweep: Sweep) -> list[str]:
    """The other rows whose mean validation figure is that of the best."""
    means = {id(row): s.mean for row in sweep.rows if (s := row.spread(VALIDATION, sweep.main))}
    best = means.get(id(sweep.best))
    others = (row for row in sweep.rows if row is not sweep.best)
    return [named(sweep, row) for row in others if means.get(id(row)) == best]


def _problems(sweep: Sweep) -> list[str]:
    """What failed, with its message, then what is not finished."""
    jobs = [
        (f"{named(sweep, row)}, seed {job.seed or '?'}", job)
        for row in sweep.rows
        for job in row.jobs
    ]
    failed = [f"failed: {name}: {job.failure}" for name, job in jobs if job.failure]
    return failed + [f"unfinished: {name}" for name, job in jobs if job.state == "unfinished"]
