"""What a finished run prints: verdict, one table of 80 columns, warnings, where the report is."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kdistill.artifacts.result import Result
from kdistill.artifacts.result import Table as Added
from kdistill.artifacts.run_folder import RunFolder
from kdistill.report import numbers
from kdistill.report.comparison import Comparison, Line, compare
from kdistill.report.plain import plain, written
from kdistill.report.verdict import outcome, verdict

TONES = {"gain": "bold green", "worse": "bold red"}


def terminal(result: Result, folder: RunFolder) -> Group:
    """The renderable that the command line prints when the run in `folder` is done."""
    compared = compare(result)
    parts: list[RenderableType] = [_table(compared), Text()]
    parts.append(plain(verdict(result), TONES.get(outcome(result), "bold")))
    if saved := _savings(compared):
        parts.append(saved)
    for added in result.tables:
        parts += [Text(), *_added(added), Text()]
    parts.append(plain(_data(result, compared), "dim"))
    parts += [plain(f"WARNING: {text}", "bold yellow") for text in result.warnings]
    parts.append(written(folder.report_html))
    return Group(*parts)


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
    texts = [plain(cell.text if cell else "") for cell in cells]
    table.add_row(plain(line.title), *texts, style=style)


def _intervals(line: Line, compared: Comparison) -> list[str]:
    cells = [line.cells.get(model) for model in compared.models]
    return [cell.interval if cell else "" for cell in cells]


def _added(added: Added) -> list[RenderableType]:
    """A table that a method added, with its title above and its note below."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for place, heading in enumerate(added.columns):
        table.add_column(plain(heading), justify="right" if place else "left")
    for row in added.rows:
        table.add_row(*(plain(numbers.entry(value)) for value in row))
    note: list[RenderableType] = [plain(added.note, "dim")] if added.note else []
    return [plain(added.title, "bold"), table, *note]


def _savings(compared: Comparison) -> RenderableType | None:
    said = [f"{saving.factor} {saving.phrase}" for saving in compared.savings]
    return plain(f"Against the teacher: {', '.join(said)}.") if said else None


def _data(result: Result, compared: Comparison) -> str:
    timed = [line.hint for line in compared.costs if line.name.startswith("latency")]
    latency = f" Latency: {timed[0]}." if timed else ""
    name, source = result.dataset.get("name", "?"), result.dataset.get("source", "?")
    note = result.dataset.get("note", "")
    return f"Data: {name} ({source}), seed {result.seed}.{latency}{' ' + str(note) if note else ''}"
