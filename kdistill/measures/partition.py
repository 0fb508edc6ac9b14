"""log Z of an RBM by every means that there are, each with what it cost."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf

import torch
from torch import Tensor

from kdistill.artifacts.result import Entry, Table
from kdistill.measures.annealing import annealed_importance
from kdistill.measures.bridge import bridge
from kdistill.measures.importance import SIGMAS, Estimate, importance
from kdistill.models.rbm import ENUMERABLE, RBM

NORMALISED = Estimate(0.0, 0.0, 0.0, inf, None)  # of a density that needs no constant
EXACT = "enumeration"
ROUNDING = 1e-3  # nats that float32 may lose in log-densities of hundreds
COLUMNS = ["By", "log Z, nats", "Low", "High", "Effective samples", "Seconds", "Note"]


@dataclass(frozen=True)
class Proposal:
    """A normalised q: log p~ - log q at its own samples [n] and at the teacher's [m]."""

    name: str
    own: Tensor
    teacher: Tensor
    seconds: float  # that its training, its samples and their log-densities took
    sampling: float  # that the teacher's samples took, with all that those needed


@dataclass(frozen=True)
class Found:
    """log Z by one means."""

    by: str
    estimate: Estimate
    seconds: float  # of everything that it needed
    lacking: bool = False  # it lies below another: its proposal lacks part of what the RBM does


def log_partitions(
    rbm: RBM,
    proposals: Sequence[Proposal],
    chains: int,
    temperatures: int,
    generator: torch.Generator,
    odds: Tensor | None,
    warning: str | None,
) -> list[Found]:
    """By enumeration where one side has at most 20 units; from each proposal by importance and by
    bridge sampling; by annealing, unless chains or temperatures is 0.

    odds: `base_odds` of the data, which annealing starts from; None: there are none. warning: why
    the teacher's samples are not to be trusted; the bridge then has no interval.
    """
    found = []
    if min(rbm.weight.shape) <= ENUMERABLE:
        found.append(_timed(EXACT, lambda: _exact(rbm.log_partition())))
    for each in proposals:
        by = f"importance, {each.name}"
        found.append(_timed(by, partial(importance, each.own), each.seconds))
        by, before = f"bridge, {each.name}", each.seconds + each.sampling
        bridged = _timed(by, partial(bridge, each.own, each.teacher), before)
        found.append(_warned(bridged, warning) if warning else bridged)
    if chains and temperatures:
        run = partial(annealed_importance, rbm, chains, temperatures, generator, odds)
        found.append(_timed("annealing", run))
    return [_contradicted(each, found) for each in found]


def best(found: Sequence[Found]) -> Estimate:
    """The narrowest interval without a warning; where there is none, that of the most samples which
    no other refutes."""
    widths = [
        (said.high - said.low, place)
        for place, said in enumerate(each.estimate for each in found)
        if said.low is not None and said.high is not None and not said.warning
    ]
    if widths:
        return found[min(widths)[1]].estimate
    left = [each.estimate for each in found if not each.lacking]
    return max(left, key=lambda said: said.effective_samples)


def _contradicted(found: Found, others: Sequence[Found]) -> Found:
    """With a warning where it lies wholly below another, or below what that is at least.

    A proposal that lacks a mode of the RBM does not know it: the weights agree, the chains that
    begin at its samples stay where it is, and log Z comes out too low.
    """
    if found.by == EXACT or found.estimate.warning or found.estimate.high is None:
        return found
    above = [
        each.by
        for each in others
        if each.estimate.low is not None and each.estimate.low > found.estimate.high + ROUNDING
    ]
    if not above:
        return found
    beyond = " and ".join(above)
    told = (
        f"it lies below what {beyond} found, as where the student lacks part of what the RBM does"
    )
    return _warned(replace(found, lacking=True), told)


def minus(estimate: Estimate) -> Estimate:
    """-log Z, with its bounds."""
    low, high = (None if end is None else -end for end in (estimate.high, estimate.low))
    return replace(estimate, value=-estimate.value, low=low, high=high)


def table(found: Sequence[Found]) -> Table:
    """What a report shows of all estimates; warnings are notes below, each said once."""
    rows: list[list[Entry]] = []
    told = [*dict.fromkeys(each.estimate.warning for each in found if each.estimate.warning)]
    for each in found:
        said = each.estimate
        effective = None if said.effective_samples == inf else round(said.effective_samples, 1)
        ends = said.low, said.high
        mark = str(told.index(said.warning) + 1) if said.warning else ""
        rows.append([each.by, said.value, *ends, effective, each.seconds, mark])
    note = (
        f"Of the teacher, with {SIGMAS:g}-sigma intervals: importance sampling from the student, a "
        "bridge between its samples and the teacher's, annealed importance sampling. The seconds "
        "of the first two count the student's training, those of the bridge the Gibbs sweeps too."
    )
    notes = [f"{place}: {warning}." for place, warning in enumerate(told, 1)]
    return Table("log Z", COLUMNS, rows, " ".join([note, *notes]))


def _timed(by: str, estimate: Callable[[], Estimate], before: float = 0.0) -> Found:
    started = time.monotonic()
    said = estimate()
    return Found(by, said, before + time.monotonic() - started)


def _exact(value: float) -> Estimate:
    return replace(NORMALISED, value=value, low=value, high=value)


def _warned(found: Found, warning: str) -> Found:
    """Without bounds, which would be those of independent samples."""
    said = found.estimate
    told = f"{said.warning}; {warning}" if said.warning else warning
    return replace(found, estimate=replace(said, low=None, high=None, warning=told))
