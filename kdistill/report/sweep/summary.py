"""A sweep summed up: a row for each setting that was tried, over its seeds, and which is best."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from kdistill.artifacts.result import Measure, Result
from kdistill.measures.significance import paired_t
from kdistill.report.comparison import title
from kdistill.report.sweep.jobs import Job, read_jobs
from kdistill.report.sweep.values import number

VALIDATION = "validation"  # the student's, on validation data: stands beside the models


@dataclass(frozen=True)
class Spread:
    """A measure over the seeds of a row."""

    mean: float
    deviation: float | None  # of the sample (n - 1); None for a single seed
    n: int
    unit: str
    better: str  # "lower" | "higher"


@dataclass(frozen=True)
class Row:
    """All jobs of one setting, which differ by their seeds alone."""

    values: tuple[str, ...]  # of Sweep.keys
    jobs: list[Job]

    @property
    def results(self) -> dict[int, Result]:
        """Of the finished jobs, by seed: a seed that was run twice counts once."""
        return {job.result.seed: job.result for job in self.jobs if job.result}

    def count(self, state: str) -> int:
        """How many jobs are finished, failed or unfinished."""
        return sum(job.state == state for job in self.jobs)

    def figures(self, model: str, name: str) -> dict[int, Measure]:
        """A measure of teacher, student or baseline (on the test set) or of VALIDATION, by seed."""
        found = {seed: measured(result, model) for seed, result in self.results.items()}
        return {seed: each[name] for seed, each in found.items() if name in each}

    def spread(self, model: str, name: str) -> Spread | None:
        """Mean and deviation of those; None where no finished job has them."""
        figures = list(self.figures(model, name).values())
        if not figures:
            return None
        values = [figure.value for figure in figures]
        deviation = stdev(values) if len(values) > 1 else None
        return Spread(mean(values), deviation, len(values), figures[0].unit, figures[0].better)


@dataclass(frozen=True)
class Sweep:
    """What `kdistill report DIR` says about the jobs in DIR."""

    folder: Path
    keys: tuple[str, ...]  # that differ between jobs, the seed apart
    shared: dict[str, str]  # overrides that all jobs have alike
    main: str  # name of the measure that decides; '' while no job is finished
    second: str  # of the one that is drawn beside it; '': none is
    rows: list[Row]
    best: Row | None  # by validation; None where that cannot be said

    def title(self, name: str) -> str:
        """A measure's name as people write it."""
        return title(name, *(result for row in self.rows for result in row.results.values()))

    def p_value(self, row: Row) -> float | None:
        """Paired t-test of the best row against `row` on the test set, over the seeds of both."""
        return None if self.best is None else paired(self.best, row, self.main)


def paired(one: Row, other: Row, main: str) -> float | None:
    """Paired t-test of two rows on the test set, over the seeds of both; None: no test."""
    first, second = (each.figures("student", main) for each in (one, other))
    seeds = sorted(first.keys() & second.keys())
    return paired_t([first[s].value for s in seeds], [second[s].value for s in seeds])


def read_sweep(folder: Path) -> Sweep:
    """Sum up the run folders in `folder`; UserError when there is none."""
    jobs = read_jobs(folder)
    keys = tuple(_varying(jobs))
    pairs = Counter((job.result.main, job.result.second) for job in jobs if job.result)
    main, second = pairs.most_common(1)[0][0] if pairs else ("", "")
    rows = _rows(jobs, keys)
    return Sweep(folder, keys, _shared(jobs), main, second, rows, best_of(rows, main))


def measured(result: Result, model: str) -> dict[str, Measure]:
    """The measures of a model on the test set, or those of the student on VALIDATION data."""
    found = result.models.get("student" if model == VALIDATION else model)
    if found is None:
        return {}
    return found.validation if model == VALIDATION else found.measures


def _varying(jobs: list[Job]) -> Iterator[str]:
    for key in dict.fromkeys(key for job in jobs for key in job.overrides):
        if key != "seed" and len({job.value(key) for job in jobs}) > 1:
            yield key


def _shared(jobs: list[Job]) -> dict[str, str]:
    first, *others = (job.overrides for job in jobs)
    return {
        key: value
        for key, value in first.items()
        if key != "seed" and all(each.get(key) == value for each in others)
    }


def _rows(jobs: list[Job], keys: tuple[str, ...]) -> list[Row]:
    """In the order of their values."""
    found: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        found.setdefault(tuple(job.value(key) for key in keys), []).append(job)
    return [Row(values, found[values]) for values in sorted(found, key=_in_order)]


def _in_order(values: tuple[str, ...]) -> list[tuple[bool, list[float], str]]:
    """Numbers first and by size; other texts by the numbers in them: resnet8 before resnet20."""
    return [(number(text) is None, _sizes(text), text) for text in values]


def _sizes(text: str) -> list[float]:
    whole = number(text)
    return [float(part) for part in re.findall(r"\d+", text)] if whole is None else [whole]


def best_of(rows: list[Row], main: str) -> Row | None:
    """Of those with validation figures; None where the rows were tested on different data."""
    tested = {
        (result.dataset.get("name"), result.dataset.get("test"))
        for row in rows
        for result in row.results.values()
    }
    judged = [(spread, row) for row in rows if (spread := row.spread(VALIDATION, main))]
    if len(tested) > 1 or not judged:
        return None
    sign = -1 if judged[0][0].better == "higher" else 1
    return min(judged, key=lambda pair: sign * pair[0].mean)[1]
