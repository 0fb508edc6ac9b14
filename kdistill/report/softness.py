"""How soft the teacher's targets are: their entropy against the temperature."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator
from torch import Tensor

from kdistill.measures.softening import entropy, softened
from kdistill.report import numbers
from kdistill.report.charts import COLOURS, INK, MARKERS, PAPER, Chart, draw
from kdistill.report.contents import Contents

CASES = 2000  # test inputs that the curve is drawn from, evenly spaced
POINTS = 33  # temperatures of the curve
WIDEST = 20.0  # temperature that it goes to at least


@dataclass(frozen=True)
class Softness:
    """Entropy in bits of the softened distributions over the inputs."""

    mean: float
    low: float  # of nine inputs in ten it is more
    high: float  # of one in ten


def softness(contents: Contents) -> Chart | None:
    """Chart of the teacher's answers to the test inputs; None without a teacher."""
    answers = contents.predictions.get("teacher")
    if answers is None or not len(answers):
        return None
    answers = answers[:: math.ceil(len(answers) / CASES)]
    named = contents.temperatures
    marked = {t: soften(answers, t) for t in sorted({1.0, *named})}
    most = math.log2(answers.shape[1])

    def plot(axes: Axes) -> None:
        _curve(axes, answers, min(marked), max(WIDEST, 2 * max(marked)))
        axes.axhline(most, color=INK, lw=0.8, alpha=0.5, label=f"Uniform: {most:.2f} bits")
        for temperature, soft in marked.items():
            _mark(axes, temperature, soft)
        axes.set_ylim(0, 1.12 * most)
        axes.set_xlabel("temperature T")
        axes.set_ylabel("entropy, bits")
        axes.legend(loc="lower right")

    heading = "Entropy of the teacher's soft targets"
    return draw("softness", heading, _described(marked, named, most, len(answers)), plot)


def soften(answers: Tensor, temperature: float) -> Softness:
    """The entropies of `answers` [n, classes] at `temperature`."""
    bits = entropy(softened(answers, temperature))
    low, high = bits.quantile(torch.tensor([0.1, 0.9], dtype=bits.dtype)).tolist()
    return Softness(float(bits.mean()), low, high)


def _curve(axes: Axes, answers: Tensor, low: float, high: float) -> None:
    temperatures = torch.logspace(math.log10(low), math.log10(high), POINTS).tolist()
    along = [soften(answers, temperature) for temperature in temperatures]
    ends = [soft.low for soft in along], [soft.high for soft in along]
    colour = COLOURS["teacher"]
    axes.fill_between(temperatures, *ends, color=colour, alpha=0.18, lw=0, label="8 inputs in 10")
    axes.plot(temperatures, [soft.mean for soft in along], color=colour, lw=1.8, label="Mean")
    axes.set_xscale("log")
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200) if low <= t <= high]
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _mark(axes: Axes, temperature: float, soft: Softness) -> None:
    colour = COLOURS["teacher"]
    axes.axvline(temperature, color=colour, lw=1, ls=":")
    axes.scatter(
        [temperature], [soft.mean], s=48, marker=MARKERS["teacher"], color=colour,
        edgecolors=PAPER, linewidths=0.8, zorder=3,
    )  # fmt: skip
    axes.annotate(
        f"T = {temperature:g}", (temperature, soft.mean), (5, -11), textcoords="offset points",
        fontsize=8.5,
    )  # fmt: skip


def _described(
    marked: dict[float, Softness], named: Sequence[float], most: float, cases: int
) -> str:
    said = [
        f"{soft.mean:.3f} bits at T = {temperature:g}"
        + (" (the loss')" if temperature in named else "")
        for temperature, soft in marked.items()
    ]
    none = "" if named else " The loss of this run names no temperature."
    return (
        f"Mean entropy of the teacher's answers to {numbers.whole(cases)} test inputs: "
        f"{', '.join(said)}, of {most:.2f} bits at the most.{none}"
    )
