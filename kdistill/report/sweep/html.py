"""sweep.html: the summary of a sweep as one self-contained page, with links to its runs."""

import os
from urllib.parse import quote

from kdistill.report.markup import Markup, element, joined
from kdistill.report.page import page, section
from kdistill.report.page_tables import scrolling
from kdistill.report.sweep.chart import sweep_charts
from kdistill.report.sweep.jobs import Job
from kdistill.report.sweep.names import named
from kdistill.report.sweep.summary import Sweep
from kdistill.report.sweep.table import SweepTable


def sweep_html(sweep: Sweep, laid: SweepTable) -> str:
    """The page of a sweep, with its charts and a link to each run."""
    verdict = element("p", laid.verdict.replace(" ± ", "\u00a0±\u00a0"))
    return page(
        f"{laid.name}: kdistill sweep",
        element("h1", laid.name),
        element("div", verdict, class_="verdict"),
        _warnings(laid),
        section("Settings tried", _table(laid), *_notes(laid)),
        section("Over the values", _over_values(sweep, laid)),
        section("Runs", _runs(sweep)),
        element(
            "footer", "Made by kdistill from the run folders; rebuild it with kdistill report."
        ),
    )


def _warnings(laid: SweepTable) -> Markup:
    items = [element("li", problem) for problem in laid.problems]
    return element("ul", *items, class_="warnings") if items else Markup()


def _over_values(sweep: Sweep, laid: SweepTable) -> Markup:
    """The answers in words, the charts, and how the answers were found."""
    items = [element("li", said) for said in laid.answers[:-1]]
    charts = [chart.figure() for chart in sweep_charts(sweep)]
    return joined(
        element("ul", *items, class_="answers") if items else "",
        element("div", *charts, class_="figures") if charts else "",
        *(element("p", how, class_="soft after") for how in laid.answers[-1:]),
    )


def _notes(laid: SweepTable) -> list[Markup]:
    return [element("p", note, class_="soft after") for note in laid.notes]


def _table(laid: SweepTable) -> Markup:
    head = element("tr", *(element("th", text, scope="col") for text in laid.head))
    rows = [_row(row, laid.keys, place == laid.best) for place, row in enumerate(laid.rows)]
    return scrolling("Settings", "sweep", element("thead", head), element("tbody", *rows))


def _row(cells: list[str], keys: int, best: bool) -> Markup:
    made = [
        element("th", cell, scope="row") if place < keys else element("td", cell)
        for place, cell in enumerate(cells)
    ]
    return element("tr", *made, class_="best" if best else "")


def _runs(sweep: Sweep) -> Markup:
    """One line a job: its setting, with a link to its report where it has one, and its folder."""
    pairs = [
        (_link(f"{named(sweep, row)}, seed {job.seed or '?'}", job), job)
        for row in sweep.rows
        for job in row.jobs
    ]
    lines = [(element("dt", name), element("dd", _told(job))) for name, job in pairs]
    return element("dl", *(part for line in lines for part in line))


def _told(job: Job) -> str:
    return f"{job.state}: {job.folder.path.name}"


def _link(text: str, job: Job) -> Markup:
    if not job.folder.report_html.is_file():
        return element("span", text)
    href = f"{quote(os.fsencode(job.folder.path.name))}/{job.folder.report_html.name}"
    return element("a", text, href=href)
