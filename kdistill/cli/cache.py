"""`kdistill cache [list|clean]`: the stored teachers and answers that later runs reuse."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from kdistill.artifacts.links import refuse_links_below
from kdistill.artifacts.text import read_json
from kdistill.cli._arguments import Parser
from kdistill.errors import UserError
from kdistill.paths import cache_folder
from kdistill.printable import printable
from kdistill.report.numbers import file_size

# folder: what describes an entry
KINDS = {"teachers": "teacher.json", "clusters": "clusters.json", "answers": "answers.json"}


@dataclass(frozen=True)
class Entry:
    """One stored teacher, or the stored answers of one."""

    path: Path
    kind: str
    description: str
    size: int  # bytes on disk
    created: datetime
    seconds: float  # what making it took


def main(argv: list[str]) -> int:
    """List what is stored, or remove it."""
    parser = Parser("cache")
    parser.add_argument("action", nargs="?", choices=("list", "clean"), default="list")
    parser.add_argument("--older-than", type=float, metavar="DAYS", help="clean only what is older")
    parser.add_argument("--yes", action="store_true", help="clean without asking")
    args = parser.parse_args(argv)
    if args.action == "list":
        return show(list(entries()))
    return clean(args.older_than, args.yes)


def entries() -> Iterator[Entry]:
    """Everything that is stored, oldest first within its kind; UserError for links."""
    for kind, name in KINDS.items():
        refuse_links_below(cache_folder() / kind)
        folders = [path for path in (cache_folder() / kind).glob("*") if path.is_dir()]
        yield from sorted((_entry(path, kind, name) for path in folders), key=lambda e: e.created)


def _entry(path: Path, kind: str, name: str) -> Entry:
    """What `path` holds; one that a crash left without its description can still be removed."""
    try:
        said = read_json(path / name)
        created = datetime.fromisoformat(said["created"])
        created = created.astimezone(timezone.utc)
        description, seconds = str(said["description"]), float(said["seconds"])
    except (ValueError, KeyError, TypeError, OverflowError):  # a year that no clock has
        created = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
        description, seconds = "(unfinished)", 0.0
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return Entry(path, kind, description, size, created, seconds)


def show(stored: list[Entry]) -> int:
    """Print one row an entry and what they take together."""
    from rich.table import Table

    from kdistill.cli._screen import screen
    from kdistill.report.plain import plain

    table = Table("kind", "name", "what", "size", "age", "took")
    for entry in stored:
        age = datetime.now(timezone.utc) - entry.created
        table.add_row(
            entry.kind,
            plain(entry.path.name),
            plain(entry.description),
            file_size(entry.size),
            f"{age.days} d" if age.days else f"{age.seconds // 3600} h",
            f"{entry.seconds:.0f} s",
        )
    if stored:
        screen().print(table)
    total = file_size(sum(entry.size for entry in stored))
    print(f"{len(stored)} entries, {total} in {printable(cache_folder())}")
    return 0


def clean(older_than: float | None, sure: bool) -> int:
    """Remove all entries, or those older than so many days, after asking."""
    if older_than is not None and older_than < 0:
        raise UserError(f"--older-than must be >= 0 days, got {older_than:g}")
    limit = datetime.now(timezone.utc) - timedelta(days=older_than or 0)
    doomed = [entry for entry in entries() if older_than is None or entry.created < limit]
    freed = file_size(sum(entry.size for entry in doomed))
    if doomed and not sure and not _agreed(f"remove {len(doomed)} entries, {freed}? [y/N] "):
        print("nothing removed")
        return 0
    for entry in doomed:
        shutil.rmtree(entry.path)
    print(f"removed {len(doomed)} entries, {freed} freed")
    return 0


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UserError("cache clean asks before it removes; without a terminal, add --yes")
    return input(question).strip().lower() in ("y", "yes")
