"""report.html: one self-contained page that needs no network and no script."""

from pathlib import Path

from kdistill.artifacts.files import read_tensors
from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder, read_lines
from kdistill.report.charts import Chart
from kdistill.report.comparison import Comparison, compare
from kdistill.report.curves import training_curves
from kdistill.report.markup import Markup, element, joined
from kdistill.report.page_tables import figures_table, members_table, savings_cards
from kdistill.report.provenance import Pairs, data, origin, settings
from kdistill.report.reliability import reliability_diagram
from kdistill.report.tradeoff import tradeoff
from kdistill.report.verdict import outcome, verdict

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
    ("McNemar p", "exact test on the cases where only one of the two students is right; it "
     "judges these two trained networks, not other seeds"),
    ("NLL, Brier", "proper scores of the predicted probabilities"),
    ("ECE", "mean distance between confidence and accuracy"),
    ("Agreement, KL to teacher", "share of cases with the teacher's top class; divergence of the "
     "student's probabilities from the teacher's"),
)  # fmt: skip


def html(folder: RunFolder) -> str:
    """The page of the finished run in `folder`; UserError when it is not finished or damaged."""
    result = Result.read(folder.finished().result)
    compared = compare(result)
    body = element(
        "main",
        _opening(result),
        _section("Side by side", figures_table(compared)),
        _section("Cost, student against teacher", savings_cards(compared)),
        _section("Curves and calibration", _figures(folder, result)),
        _section("The teacher's members", members_table(compared)),
        _section("Where the time went", _time(compared)),
        _section("Settings", _definitions(settings(folder))),
        _section("Data and provenance", _provenance(result)),
        _section("Terms", _definitions(list(TERMS))),
        element("footer", "Made by kdistill from result.json; rebuild it with kdistill report."),
    )
    whole = joined(_head(result), Markup("<body>"), body, Markup("</body>\n</html>\n"))
    return f'<!doctype html>\n<html lang="en">\n{whole}'


def _head(result: Result) -> Markup:
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    nothing_but_style = "default-src 'none'; style-src 'unsafe-inline'"
    return joined(
        Markup('<head>\n<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{nothing_but_style}">'),
        element("title", f"{result.experiment}: kdistill report"),
        element("style", Markup(style)),
        Markup("</head>"),
    )


def _opening(result: Result) -> Markup:
    kind = outcome(result)
    said = element("strong", LABELS[kind]), element("p", verdict(result))
    warnings = [element("li", element("b", "Warning: "), text) for text in result.warnings]
    note = f"{result.dataset.get('name', '')} ({result.dataset.get('source', '')}). "
    return joined(
        element("h1", f"{result.experiment}, seed {result.seed}"),
        element("div", *said, class_=f"verdict {kind}"),
        element("ul", *warnings, class_="warnings") if warnings else "",
        element("p", note + str(result.dataset.get("note", "")), class_="note soft"),
    )


def _section(heading: str, content: Markup) -> Markup:
    return element("section", element("h2", heading), content) if content else Markup()


def _figures(folder: RunFolder, result: Result) -> Markup:
    charts: list[Chart | None] = [*training_curves(read_lines(folder.history), result.main)]
    if folder.predictions.is_file():
        charts.append(reliability_diagram(read_tensors(folder.predictions)))
    charts.append(tradeoff(result))
    drawn = [chart.figure() for chart in charts if chart]
    return element("div", *drawn, class_="figures") if drawn else Markup()


def _time(compared: Comparison) -> Markup:
    signals = element("p", compared.signals, class_="soft after") if compared.signals else ""
    return joined(_definitions(compared.seconds), signals) if compared.seconds else Markup()


def _provenance(result: Result) -> Markup:
    both = _definitions(data(result)), _definitions(origin(result))
    return element("div", *both, class_="pairs")


def _definitions(pairs: Pairs) -> Markup:
    rows = [(element("dt", name), element("dd", text)) for name, text in pairs]
    return element("dl", *(part for row in rows for part in row)) if pairs else Markup()
