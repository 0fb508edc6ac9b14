"""report.html: one self-contained page that needs no network and no script."""

from kdistill.artifacts.result import Result
from kdistill.printable import NAME, printable
from kdistill.report.cases import case_sections
from kdistill.report.charts import Chart
from kdistill.report.comparison import compare
from kdistill.report.contents import Contents
from kdistill.report.curves import training_curves
from kdistill.report.lines import line_charts
from kdistill.report.markup import Markup, element, joined
from kdistill.report.matrix import matrices
from kdistill.report.page import page, section
from kdistill.report.page_tables import any_table, figures_table, members_table, savings_cards
from kdistill.report.provenance import Pairs, data, origin, settings
from kdistill.report.stages import stages
from kdistill.report.tradeoff import tradeoff
from kdistill.report.verdict import outcome, verdict
from kdistill.report.watched import watched_charts

LABELS = {
    "gain": "Distillation helped",
    "chance": "No gain shown",
    "worse": "Distillation hurt",
    "untested": "Difference not tested",
    "uncompared": "Nothing to compare with",
}
TERMS = (
    ("Student alone", "the same student, trained with the same budget but without the teacher"),
    ("Gap closed", "(alone - distilled) / (alone - teacher) on the main measure"),
)


def html(contents: Contents) -> str:
    """The page of a finished run."""
    result = contents.result
    compared = compare(result)
    return page(
        f"{printable(result.experiment, NAME)}: kdistill report",
        _opening(result),
        section("Side by side", figures_table(compared)),
        *(section(table.title, any_table(table)) for table in result.tables),
        section("Cost, student against teacher", savings_cards(compared)),
        section("Where the time went", stages(contents)),
        section("Charts", _figures(contents)),
        section("Confusion", matrices(result.matrices)),
        *case_sections(result.cases, contents.pictures),
        section("The teacher's members", members_table(compared)),
        section("Settings", _definitions(settings(contents.config))),
        section("Data and provenance", _provenance(result)),
        section("Terms", _definitions([*TERMS, *result.terms.items()])),
        element("footer", "Made by kdistill from the run folder; rebuild it with kdistill report."),
    )


def _opening(result: Result) -> Markup:
    kind = outcome(result)
    said = element("strong", LABELS[kind]), element("p", verdict(result))
    warnings = [element("li", element("b", "Warning: "), text) for text in result.warnings]
    note = f"{result.dataset.get('name', '')} ({result.dataset.get('source', '')}). "
    return joined(
        element("h1", f"{printable(result.experiment, NAME)}, seed {result.seed}"),
        element("div", *said, class_=f"verdict {kind}"),
        element("ul", *warnings, class_="warnings") if warnings else "",
        element("p", note + str(result.dataset.get("note", "")), class_="note soft"),
    )


def _figures(contents: Contents) -> Markup:
    history = contents.result, contents.history
    charts: list[Chart | None] = [*training_curves(*history), *watched_charts(*history)]
    charts += [*line_charts(contents.result.curves), tradeoff(contents.result)]
    drawn = [chart.figure() for chart in charts if chart]
    return element("div", *drawn, class_="figures") if drawn else Markup()


def _provenance(result: Result) -> Markup:
    both = _definitions(data(result)), _definitions(origin(result))
    return element("div", *both, class_="pairs")


def _definitions(pairs: Pairs) -> Markup:
    rows = [(element("dt", name), element("dd", text)) for name, text in pairs]
    return element("dl", *(part for row in rows for part in row)) if pairs else Markup()
