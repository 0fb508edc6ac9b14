"""How soft the teacher's targets are: their entropy against the temperature."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kdistill.artifacts.figures import Curves, Line, Mark
from kdistill.measures.softening import entropy, softened
from kdistill.report import numbers

CASES = 2000  # test inputs that the curve is drawn from, evenly spaced
POINTS = 33  # temperatures of the curve
WIDEST = 20.0  # temperature that it goes to at least
COLDEST, HOTTEST, MOST = 1e-3, 1e4, 20  # temperatures that are marked, and how many


@dataclass(frozen=True)
class Softness:
    """Entropy in bits of the softened distributions over the inputs."""

    mean: float
    low: float  # of nine inputs in ten it is more
    high: float  # of one in ten


def softness_curves(probabilities: Tensor, temperatures: Sequence[float]) -> Curves:
    """Of the teacher's probabilities [n, classes], n >= 1; marked at 1 and at `temperatures`."""
    answers = probabilities[:: math.ceil(len(probabilities) / CASES)]
    marked = {t: soften(answers, t) for t in sorted({1.0, *temperatures})}
    low, high = min(marked), max(WIDEST, 2 * max(marked))
    along = torch.logspace(math.log10(low), math.log10(high), POINTS).tolist()
    curve = [soften(answers, temperature) for temperature in along]
    most = math.log2(answers.shape[1])
    mean = Line(
        "Mean",
        "teacher",
        along,
        [soft.mean for soft in curve],
        [soft.low for soft in curve],
        [soft.high for soft in curve],
        "8 inputs in 10",
    )
    ends = [along[0], along[-1]]
    uniform = Line(f"Uniform: {most:.2f} bits", "", ends, [most, most])
    certain = Line("", "", ends, [0, 0])
    return Curves(
        "Entropy of the teacher's soft targets",
        "temperature T",
        "entropy, bits",
        [certain, uniform, mean],
        _described(marked, temperatures, most, len(answers)),
        log=True,
        marks=[Mark(f"T = {t:g}", "teacher", t, soft.mean) for t, soft in marked.items()],
    )


def soften(answers: Tensor, temperature: float) -> Softness:
    """The entropies of `answers` [n, classes] at `temperature`."""
    bits = entropy(softened(answers, temperature))
    low, high = bits.quantile(torch.tensor([0.1, 0.9], dtype=bits.dtype)).tolist()
    return Softness(float(bits.mean()), low, high)


def temperatures_of(config: Any) -> list[float]:
    """Every temperature that the config of a loss names and a chart can show, ascending."""
    return sorted(set(_temperatures(config)))[:MOST]


def _temperatures(node: Any) -> Iterator[float]:
    """Of a node of the config and of all below it."""
    if isinstance(node, dict):
        value = node.get("temperature")
        if isinstance(value, (int, float)) and COLDEST <= value <= HOTTEST:
            yield float(value)
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _temperatures(child)


def _described(
    marked: dict[float, Softness], temperatures: Sequence[float], most: float, cases: int
) -> str:
    means = [
        f"{soft.mean:.3f} bits at T = {temperature:g}"
        + (" (the loss')" if temperature in temperatures else "")
        for temperature, soft in marked.items()
    ]
    none = "" if temperatures else " The loss of this run names no temperature."
    return (
        f"Mean entropy of the teacher's answers to {numbers.whole(cases)} test inputs: "
        f"{', '.join(means)}, of {most:.2f} bits at the most.{none}"
    )
