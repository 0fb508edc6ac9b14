"""report.md: the report as Markdown that pastes into an issue."""

import re
from collections.abc import Iterable
from html import escape

from kdistill.artifacts.result import Table
from kdistill.printable import NAME, printable
from kdistill.report import numbers
from kdistill.report.comparison import Comparison, Line, Member, compare
from kdistill.report.contents import Contents
from kdistill.report.provenance import Pairs, data, origin, settings
from kdistill.report.verdict import verdict


def markdown(contents: Contents) -> str:
    """The report of a finished run."""
    result = contents.result
    compared = compare(result)
    blocks = [
        f"# {escaped(printable(result.experiment, NAME))}",
        f"**{escaped(verdict(result))}**",
        *(f"> **Warning:** {escaped(text)}" for text in result.warnings),
        _models(compared),
        *_savings(compared),
        *map(_shown, result.tables),
        *_members(compared.members),
        _pairs("Time per stage", compared.seconds),
        escaped(compared.signals),
        _pairs("Data", data(result)),
        _listing("Settings", settings(contents.config)),
        _listing("Provenance", origin(result)),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def escaped(text: str) -> str:
    """`text` on one line, with everything that Markdown or HTML would read as markup quoted."""
    text = re.sub(r"([\\`*{}\[\]|#!~])", r"\\\1", printable(_squeezed(text)))
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)  # inside a word it is no markup
    text = re.sub(r"^(\d*)([-+.)])(?=[-+ ]|$)", r"\1\\\2", text)  # the first letters of a list
    return escape(text, quote=False)


def _models(compared: Comparison) -> str:
    main, *others = [_line(line, compared) for line in [*compared.measures, *compared.costs]]
    bold = [f"**{cell}**" if cell else "" for cell in main[:-1]]
    return table(["", *compared.models.values(), ""], [[*bold, main[-1]], *others])


def _line(line: Line, compared: Comparison) -> list[str]:
    cells = []
    for model in compared.models:
        cell = line.cells.get(model)
        ends = f" ({cell.interval})" if cell and cell.interval else ""
        cells.append(f"{cell.text}{ends}" if cell else "")
    return [escaped(line.title), *cells, escaped(line.hint)]


def _savings(compared: Comparison) -> Iterable[str]:
    if compared.savings:
        said = (f"{saving.factor} {escaped(saving.phrase)}" for saving in compared.savings)
        yield f"Student against teacher: {', '.join(said)}. Intervals are 95 %."


def _shown(shown: Table) -> str:
    rows = [[escaped(numbers.entry(value)) for value in row] for row in shown.rows]
    whole = f"## {escaped(shown.title)}\n\n" + table([*map(escaped, shown.columns)], rows)
    return f"{whole}\n\n{escaped(shown.note)}" if shown.note else whole


def _members(members: list[Member]) -> Iterable[str]:
    if members:
        heads = list(dict.fromkeys(head for member in members for head in member.figures))
        rows = [[m.title, *(m.figures.get(head, "") for head in heads)] for m in members]
        yield "## Teacher's members\n\n" + table(["", *map(escaped, heads)], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table of cells that are escaped already; all but the first column to the right."""
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def _pairs(heading: str, pairs: Pairs) -> str:
    said = ", ".join(f"{escaped(name)} {escaped(value)}" for name, value in pairs)
    return f"**{heading}:** {said}" if pairs else ""


def _listing(heading: str, pairs: Pairs) -> str:
    """A fenced block: nothing in it is markup, once it cannot close the fence.

    What would begin a tag is spelled out, for readers that know no fences.
    """
    lines = [printable(_squeezed(f"{name}: {value}")).replace("`", "'") for name, value in pairs]
    lines = [re.sub(r"<(?=[A-Za-z/!?])", r"\\x3c", line) for line in lines]
    return "\n".join([f"## {heading}\n", "```text", *lines, "```"]) if pairs else ""


def _squeezed(text: str) -> str:
    return re.sub(r"[ \n\r\t\xa0]+", " ", text).strip()
