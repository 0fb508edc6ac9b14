"""The plot: bars of training samples a CPU-second, a panel a case."""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from side_by_side.cases import LABELS, LIVE, STORED, TITLES
from side_by_side.figures import Figures

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "kdistill",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
OURS, LIVE_OURS, THEIRS = "#b3441e", "#dfa58f", "#8a93a0"
PANEL = (7.2, 1.9)  # inches


def draw(found: dict[str, list[Figures]], rows: list[dict[str, Any]], file: Path) -> None:
    """Write the plot of every case that compares with peers."""
    titles = {row["case"]["name"]: row["case"] for row in rows if row["kind"] == "turn"}
    shown = {
        name: figures
        for name, figures in found.items()
        if not any(one.contender == LABELS for one in figures)
    }
    if not shown:
        return
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(PANEL[0], PANEL[1] * len(shown)), layout="constrained")
        panels = figure.subplots(len(shown), squeeze=False)[:, 0]
        for panel, (name, figures) in zip(panels, shown.items(), strict=True):
            bars(panel, figures, titles[name]["title"])
        panels[-1].set_xlabel("training samples a CPU-second (line: lowest to highest turn)")
        figure.savefig(file, format="svg", metadata={"Date": None})


def bars(panel: Axes, figures: list[Figures], title: str) -> None:
    """One case."""
    colours = {STORED: OURS, LIVE: LIVE_OURS}
    names = [TITLES[one.contender] for one in figures]
    means = [one.cpu.mean for one in figures]
    spread = [
        [one.cpu.mean - one.cpu.low for one in figures],
        [one.cpu.high - one.cpu.mean for one in figures],
    ]
    own = [colours.get(one.contender, THEIRS) for one in figures]
    panel.barh(names, means, xerr=spread, color=own, height=0.7, ecolor="#333333")
    for row, one in enumerate(figures):
        panel.annotate(
            f"{one.cpu.mean:,.0f}", (one.cpu.high, row), (4, 0), textcoords="offset points",
            va="center",
        )  # fmt: skip
    panel.margins(x=0.15)
    panel.set_title(title, loc="left", fontsize=9, fontweight="bold")
    panel.xaxis.set_major_formatter("{x:,.0f}")
