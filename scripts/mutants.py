"""Put small mistakes into the code, one at a time, and see whether the tests notice.

    python scripts/mutants.py --count 300 --seed 0 --out before.jsonl   # draws mutants, tries them
    python scripts/mutants.py --again before.jsonl --out after.jsonl    # after a change of the code

A mutant is one line of kdistill/ changed (mutation/changes.py says how) in a temporary copy. Tried
on it are the tests that mirror the file, tests/ROOM/test_FILE.py, or a few that are near to it
(mutation/tests.py); tests that fail without a mutant are left out. Each mutant becomes a line of
JSON: file, line, before, after, status (killed, timeout, survived, untested), seconds; mutants that
--out has already are not tried again. --again tries those that were noticed then, wherever the same
line now stands, and prints those that now survive; the exit code is 1 where there are some.

mutmut and cosmic-ray make more kinds of mutants, but all of them, for the whole suite (mutmut) or
one command for every file (cosmic-ray), and they know a mutant by its place: of one whose file has
moved they can say nothing.
"""

import argparse
import json
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mutation.changes import changes
from mutation.trials import NOTICED, Mutant, Trials, copied

ROOT = Path(__file__).parents[1]


def drawn(root: Path, count: int, seed: int, executed: dict[str, list[int]] | None) -> list[Mutant]:
    """Mutants of different lines, each line as likely as another; of those `executed`, by file."""
    places = defaultdict[tuple[str, int], list[str]](list)
    sources: dict[str, list[str]] = {}
    for path in sorted(root.glob("kdistill/**/*.py")):
        file, source = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        sources[file] = source.splitlines()
        for line, changed in changes(source):
            if executed is None or line in executed.get(file, ()):
                places[file, line].append(changed)
    lots = random.Random(seed)
    found: list[Mutant] = []
    for file, line in lots.sample(sorted(places), len(places)):
        if len(found) == count:
            break
        lines, after = sources[file], lots.choice(places[file, line])
        if compiles([*lines[: line - 1], after, *lines[line:]]):
            found.append(Mutant(file, line, lines[line - 1], after))
    return found


def compiles(lines: Sequence[str]) -> bool:
    try:
        compile("\n".join(lines), "", "exec")
    except SyntaxError:
        return False
    return True


def found_again(mutant: Mutant, root: Path) -> Mutant | None:
    """The mutant where its line now stands: nearest in its file, else at the one place in a file of
    that name, else at the one place of all; None where that is nowhere, or nobody knows which."""
    places = defaultdict[str, list[tuple[int, str]]](list)
    for path in sorted(root.glob("kdistill/**/*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if line.strip() == mutant.before.strip():
                places[path.relative_to(root).as_posix()].append((number, line))
    same = [(file, *place) for file in places for place in places[file]]
    here = sorted(
        (each for each in same if each[0] == mutant.file),
        key=lambda each: abs(each[1] - mutant.line),
    )
    named = [each for each in same if Path(each[0]).name == Path(mutant.file).name]
    for group in (here[:1], named, same):
        if len(group) == 1:
            file, number, line = group[0]
            indented = line[: len(line) - len(line.lstrip())] + mutant.after.strip()
            return Mutant(file, number, line, indented)
    return None


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def mutant_of(line: dict[str, Any]) -> Mutant:
    return Mutant(line["file"], line["line"], line["before"], line["after"])


def tried_once(
    mutants: Sequence[Mutant], out: Path, jobs: int, also: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The line of JSON of each, from `out` or tried now and added there."""
    known = {mutant_of(line): line for line in lines_of(out)} if out.is_file() else {}
    yield from (known[each] for each in mutants if each in known)
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(jobs) as pool:
        trials = Trials([copied(ROOT, Path(place, str(job))) for job in range(jobs)], also)
        for line in pool.map(trials.tried, [each for each in mutants if each not in known]):
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            yield line


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", type=Path, help="what --out has written earlier")
    parser.add_argument("--out", type=Path, default=Path("mutants.jsonl"))
    parser.add_argument(
        "--coverage", type=Path, help="of `coverage json`: only lines that were run"
    )
    parser.add_argument("--jobs", type=int, default=1, help="mutants that are tried at a time")
    parser.add_argument(
        "--also", nargs="+", default=[], help="tests for those that survive, such as tests/laws"
    )
    args = parser.parse_args()
    if args.again:
        known = [mutant_of(line) for line in lines_of(args.again) if line["status"] in NOTICED]
        mutants = [each for each in (found_again(one, ROOT) for one in known) if each]
        print(f"{len(mutants)} of {len(known)} lines still stand somewhere")
    else:
        files = json.loads(args.coverage.read_text())["files"] if args.coverage else None
        executed = files and {name: file["executed_lines"] for name, file in files.items()}
        mutants = drawn(ROOT, args.count, args.seed, executed)
    survived = 0
    for line in tried_once(mutants, args.out, args.jobs, args.also):
        survived += line["status"] == "survived"
        if not args.again or line["status"] == "survived":
            print(f"{line['status']:<9} {line['file']}:{line['line']}  {line['after'].strip()}")
    print(f"{survived} of {len(mutants)} survived")
    return int(bool(args.again) and survived > 0)


if __name__ == "__main__":
    sys.exit(main())
