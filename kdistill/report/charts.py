"""Draws a chart as inline SVG that follows the page's colours, with a text alternative."""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from kdistill.printable import printable
from kdistill.report.markup import Markup, element, words

# colours that stand for the page's own, so that a chart is as legible in the dark
INK, RULE, PAPER = "#0a0b01", "#0a0b02", "#0a0b03"
COLOURS = {"teacher": "#0a0b04", "baseline": "#0a0b05", "student": "#0a0b06"}
DASHES = {"teacher": ":", "baseline": "--", "student": "-"}
MARKERS = {"teacher": "^", "baseline": "s", "student": "o"}
# of lines that stand for no model
LINES = ("#0a0b06", "#0a0b04", "#0a0b05", "#0a0b07", "#0a0b08", "#0a0b09")
PAGE = {
    **dict(zip(LINES[3:], ("var(--gain)", "var(--worse)", "var(--chance)"), strict=True)),
    INK: "currentColor",
    RULE: "var(--rule)",
    PAPER: "var(--paper)",
    **{colour: f"var(--{model})" for model, colour in COLOURS.items()},
}
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, selectable, in the page's font
    "svg.hashsalt": "kdistill",
    "text.parse_math": False,  # labels come from configs
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


FIGURES = 20_000  # characters that the figures of a chart may take in words
HEIGHT = 3.1  # inches
LABEL = 40  # characters of a name in a chart


@dataclass(frozen=True)
class Chart:
    """A drawn chart: what it shows in a few words, and in full for who cannot see it."""

    title: str
    alternative: str
    svg: Markup  # or a table that is looked at as a picture

    def figure(self) -> Markup:
        """The chart as a <figure>."""
        spoken = words(f"{self.title}. {self.alternative}", FIGURES)
        image = element("div", self.svg, role="img", aria_label=spoken)
        caption = element("p", words(self.alternative, FIGURES))
        return element("figure", element("h3", self.title), image, element("figcaption", caption))


def draw(
    name: str,
    title: str,
    alternative: str,
    plot: Callable[[Axes], None],
    height: float = HEIGHT,
) -> Chart:
    """Let `plot` fill the axes of a chart; `name`, letters and digits, keeps its ids apart.

    height: in inches. The page draws letters that the font here lacks; names in very wide letters
    may run over the edge.
    """
    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from|constrained_layout not applied")
        figure = Figure(figsize=(4.6, height), layout="constrained")
        plot(figure.add_subplot())
        drawn = StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(drawn, format="svg", transparent=True, metadata=nothing)
    return Chart(title, alternative, _inline(drawn.getvalue(), name))


def label(text: str) -> str:
    """A name as matplotlib may draw it: one that begins with _ would be left out of a legend."""
    shown = printable(text, LABEL)
    return f" {shown}" if shown.startswith("_") else shown


def plain_log(axis: XAxis | YAxis) -> None:
    """Make it logarithmic, with ticks that are plain numbers."""
    set_scale = axis.axes.set_xscale if isinstance(axis, XAxis) else axis.axes.set_yscale
    set_scale("log")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _inline(svg: str, name: str) -> Markup:
    """The <svg> element alone, sized by the page, with its own ids and the page's colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, page in PAGE.items():
        svg = svg.replace(colour, page)
    return Markup(svg)
