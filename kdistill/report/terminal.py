"""What a finished run prints: verdict, one table of 80 columns, warnings, where the report is."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kdistill.artifacts.result import Result
from kdistill.artifacts.result import Table as Added
from kdistill.artifacts.run_folder import RunFolder
from kdistill.report import numbers
from kdistill.report.comparison import Comparison, Line, compare
from kdistill.report.verdict import outcome, verdict

TONES = {"gain": "bold green", "worse": "bold red"}


def terminal(result: Result, folder: RunFolder) -> Group:
    """The renderable that the command line prints when the run in `folder` is done."""
    compared = compare(result)
    parts: list[RenderableType] = [_table(compared), Text()]
    parts.append(Text(printable(verdict(result)), style=TONES.get(outcome(result), "bold")))
    if saved := _savings(compared):
        parts.append(saved)
    for added in result.tables:
        parts += [Text(), *_added(added), Text()]
    parts.append(Text(printable(_data(result, compared)), style="dim"))
    parts += [Text(printable(f"WARNING: {text}"), style="bold yellow") for text in result.warnings]
    # no wrapping inside the path, so that it can be copied
    parts.append(Text(f"report: {folder.report_html}", overflow="ignore", no_wrap=True))
    return Group(*parts)


def printable(text: str) -> str:
    """`text` without control characters: a stranger's run folder commands no terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _table(compared: Comparison) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("")
    for heading in compared.models.values():
        table.add_column(Text(heading), justify="right")
    for position, line in enumerate(compared.measures):
        _add(table, line, compared, "bold" if position == 0 else "")
        if position == 0:
            table.add_row("95 % interval", *_intervals(line, compared), style="dim")
    table.add_row()
    for line in compared.costs:
        _add(table, line, compared, "")
    return table


def _add(table: Table, line: Line, compared: Comparison, style: str) -> None:
    cells = [line.cells.get(model) for model in compared.models]
    texts = [Text(printable(cell.text) if cell else "") for cell in cells]
    table.add_row(Text(printable(line.title)), *texts, style=style)


def _intervals(line: Line, compared: Comparison) -> list[str]:
    cells = [line.cells.get(model) for model in compared.models]
    return [cell.interval if cell else "" for cell in cells]


def _added(added: Added) -> list[RenderableType]:
    """A table that a method added, with its title above and its note below."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for place, heading in enumerate(added.columns):
        table.add_column(Text(printable(heading)), justify="right" if place else "left")
    for row in added.rows:
        table.add_row(*(Text(printable(numbers.entry(value))) for value in row))
    note: list[RenderableType] = [Text(printable(added.note), "dim")] if added.note else []
    return [Text(printable(added.title), "bold"), table, *note]


def _savings(compared: Comparison) -> RenderableType | None:
    said = [f"{saving.factor} {saving.phrase}" for saving in compared.savings]
    return Text(printable(f"Against the teacher: {', '.join(said)}.")) if said else None


def _data(result: Result, compared: Comparison) -> str:
    timed = [line.hint for line in compared.costs if line.name.startswith("latency")]
    latency = f" Latency: {timed[0]}." if timed else ""
    name, source = result.dataset.get("name", "?"), result.dataset.get("source", "?")
    note = result.dataset.get("note", "")
    return f"Data: {name} ({source}), seed {result.seed}.{latency}{' ' + str(note) if note else ''}"
