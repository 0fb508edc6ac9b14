"""`kdistill evaluate RUN`: measure the stored models again, and compare with what was stored."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kdistill.cli._arguments import Parser

if TYPE_CHECKING:
    from kdistill.artifacts.result import ModelResult

TOLERANCE = 1e-5  # relative; the same device gives the same figures but for rounding


def main(argv: list[str]) -> int:
    """Print each measure as stored and as found now; 1 when one of them is another."""
    parser = Parser("evaluate")
    parser.add_argument("run", type=Path, help="folder of a finished run: runs/NAME/TIME")
    parser.add_argument("--device", help="auto, cpu, cuda or mps, instead of the run's own")
    args = parser.parse_args(argv)

    from rich.table import Table

    from kdistill.artifacts.result import Result
    from kdistill.artifacts.run_folder import RunFolder
    from kdistill.cli._screen import screen
    from kdistill.cli.progress import shown
    from kdistill.library import evaluate_run
    from kdistill.report.plain import plain

    folder, console = RunFolder(args.run).finished(), screen()
    stored = Result.read(folder.result)
    with shown(console) as listener:
        found = evaluate_run(folder.path, listener, args.device)
    rows = list(compared(stored.models, found))
    table = Table("model", "measure", "stored", "now", "", title=plain(folder.path, "table.title"))
    for model, measure, before, now in rows:
        verdict = plain("same") if same(before, now) else plain("differs", "bold yellow")
        table.add_row(plain(model), plain(measure), _figure(before), _figure(now), verdict)
    console.print(table)
    return int(not all(same(before, now) for _, _, before, now in rows))


def compared(
    stored: "dict[str, ModelResult | None]", found: "dict[str, ModelResult]"
) -> Iterator[tuple[str, str, float | None, float]]:
    """(model, measure, stored value or None, value found) for everything measured again."""
    for name, model in found.items():
        before = stored.get(name)
        known = before.measures if before else {}
        for measure, now in model.measures.items():
            yield name, measure, known[measure].value if measure in known else None, now.value


def same(before: float | None, now: float) -> bool:
    """Whether two figures agree but for rounding; one that was not stored agrees with anything."""
    return before is None or abs(before - now) <= TOLERANCE * max(1.0, abs(before))


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
