"""From the rows of all turns to the figures of the page: means, and ratios turn by turn."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Any

from side_by_side.cases import LABELS, LIVE_PEERS, STORED

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Spread:
    """A mean over the alternations, the lowest and the highest."""

    mean: float
    low: float
    high: float

    @staticmethod
    def of(values: Iterable[float]) -> "Spread":
        """Of at least one value."""
        found = list(values)
        return Spread(mean(found), min(found), max(found))


@dataclass(frozen=True)
class Figures:
    """What one contender did in one case."""

    contender: str
    wall: Spread  # training samples a second
    cpu: Spread  # training samples a CPU-second
    wall_ratio: Spread | None  # to the fastest live peer of the same alternation
    cpu_ratio: Spread | None
    peak: float  # MiB, the largest
    loss: float  # mean


@dataclass(frozen=True)
class Loops:
    """A distillation's loop over the same loop on labels alone; the asking apart."""

    wall: Spread
    cpu: Spread
    asking: float  # seconds, mean
    loop: float  # CPU-seconds of the distillation's, mean


def by_case(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The turns of each case, in the order in which the cases were run."""
    cases: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["kind"] == "turn":
            cases[row["case"]["name"]].append(row)
    return dict(cases)


def compared(turns: list[Row]) -> list[Figures]:
    """Every contender of one case, the slowest per CPU-second first."""
    names = {row["contender"]: None for row in turns}
    found = [_figures(name, turns) for name in names]
    return sorted(found, key=lambda one: one.cpu.mean)


def loops(turns: list[Row]) -> Loops | None:
    """None where a contender is missing."""
    alone = {row["seed"]: row for row in turns if row["contender"] == LABELS}
    taught = {row["seed"]: row for row in turns if row["contender"] == STORED}
    both = sorted(alone.keys() & taught.keys())
    if not both:
        return None
    return Loops(
        wall=Spread.of((taught[n]["wall"] - taught[n]["asking"]) / alone[n]["wall"] for n in both),
        cpu=Spread.of((taught[n]["cpu"] - taught[n]["asking_cpu"]) / alone[n]["cpu"] for n in both),
        asking=mean(taught[n]["asking"] for n in both),
        loop=mean(taught[n]["cpu"] - taught[n]["asking_cpu"] for n in both),
    )


def speed(row: Row, clock: str) -> float:
    """Training samples a second of `clock`, wall or cpu."""
    return float(row["case"]["images"] * row["case"]["epochs"] / row[clock])


def _figures(contender: str, turns: list[Row]) -> Figures:
    own = [row for row in turns if row["contender"] == contender]
    return Figures(
        contender,
        wall=Spread.of(speed(row, "wall") for row in own),
        cpu=Spread.of(speed(row, "cpu") for row in own),
        wall_ratio=_ratio(own, turns, "wall"),
        cpu_ratio=_ratio(own, turns, "cpu"),
        peak=max(row["peak"] for row in own),
        loss=mean(row["loss"] for row in own),
    )


def _ratio(own: list[Row], turns: list[Row], clock: str) -> Spread | None:
    ratios = []
    for row in own:
        live = [
            speed(peer, clock)
            for peer in turns
            if peer["contender"] in LIVE_PEERS and peer["seed"] == row["seed"]
        ]
        if live:
            ratios.append(speed(row, clock) / max(live))
    return Spread.of(ratios) if ratios else None
