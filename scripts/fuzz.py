"""Give every reader damaged and hostile files: python scripts/fuzz.py --help.

Each mutant of a sound file must be read, or refused with one line that names the file; in at most
10 seconds of a processor (a minute of waiting), and with at most 1 GB of memory beyond what the
readers take to be imported. The mutants of a reader are read one by one in a child process that may
not take more; where it dies, another goes on behind the mutant that was its end. A mutant that
fails is told with its number, and tried again by

    python scripts/fuzz.py --readers "pt" --first 417 --mutants 1 --keep /tmp/failed
"""

import argparse
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

SECONDS, WAITING, BYTES = 10, 60, 1 << 30
SLOW = 10  # times fewer mutants for readers that take tenths of a second


@dataclass
class Row:
    """What became of the mutants of one reader."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)  # read, refused, failed
    slowest: float = 0.0  # seconds of a processor
    largest: int = 0  # bytes of memory
    failures: list[str] = field(default_factory=list)


def main() -> int:
    """Print a row for each reader; 1 where a mutant failed."""
    args = arguments()
    if args.child:
        return child(args)
    from fuzzing.readers import READERS

    print(f"{'reader':32}{'read':>7}{'refused':>9}{'failed':>8}{'slowest':>9}{'largest':>9}")
    rows = []
    for name in args.readers or READERS:
        count = max(args.mutants // SLOW, 1) if READERS[name].slow else args.mutants
        row = run(name, args.first, count, args)
        rows.append(row)
        counts = row.counts
        print(
            f"{name:32}{counts['read']:7}{counts['refused']:9}{counts['failed']:8}"
            f"{row.slowest:7.2f} s{row.largest / 1e6:6.0f} MB",
            flush=True,
        )
    for row in rows:
        for told in row.failures:
            print(f"\n{row.name}, mutant {told}")
    total = sum((row.counts for row in rows), Counter[str]())
    print(f"\n{sum(total.values())} mutants of {len(rows)} readers: {total['failed']} failed")
    return int(total["failed"] > 0)


def arguments() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readers", nargs="+", help="by name; left out: all")
    parser.add_argument("--mutants", type=int, default=1000, help="of each (a tenth of slow ones)")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the mutants that fail")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def run(name: str, first: int, count: int, args: argparse.Namespace) -> Row:
    """Let children read the mutants from `first` on."""
    row, end = Row(name), first + count
    while first < end:
        words = ["--child", "--readers", name, "--first", str(first), "--mutants", str(end - first)]
        words += ["--seed", str(args.seed)] + (["--keep", str(args.keep)] if args.keep else [])
        done = subprocess.run(
            [sys.executable, __file__, *words], capture_output=True, text=True, check=False
        )
        lines = [json.loads(line) for line in done.stdout.splitlines() if line[:1] == "{"]
        for line in lines:
            row.counts[line["outcome"]] += 1
            row.slowest, row.largest = (
                max(row.slowest, line["seconds"]), max(row.largest, line["bytes"])
            )  # fmt: skip
            if line["outcome"] == "failed":
                row.failures.append(f"{first}: {line['told']}")
            first += 1
        if done.returncode and first < end:
            row.counts["failed"] += 1
            ends = {
                -signal.SIGPROF: f"took more than {SECONDS} seconds",
                -signal.SIGALRM: f"waited for {WAITING} seconds",
            }
            told = ends.get(done.returncode, f"ended with {done.returncode}: {done.stderr[-2000:]}")
            row.failures.append(f"{first}: {told}")
            first += 1
    return row


def child(args: argparse.Namespace) -> int:
    """Read the mutants one by one, and print a line of JSON for each."""
    from fuzzing.mutants import mutant
    from fuzzing.readers import READERS, folder_of, outcome

    (name,) = args.readers
    reader, sound = READERS[name], READERS[name].make()
    with tempfile.TemporaryDirectory() as folder:
        path = folder_of(reader, Path(folder))
        outcome(reader, path, sound)  # imports all that it needs
        base = _memory("VmRSS")
        resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + BYTES, -1))
        warnings.simplefilter("error")
        for number in range(args.first, args.first + args.mutants):
            content = mutant(sound, (args.seed, name, number))
            line = {"outcome": "failed", "told": ""}
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            started = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)  # ends the process, wherever it is
            signal.alarm(WAITING)
            try:
                line["outcome"] = outcome(reader, path, content)
            except Exception:
                line["told"] = traceback.format_exc()[-1500:]
            signal.alarm(0)
            signal.setitimer(signal.ITIMER_PROF, 0)
            seconds, taken = time.process_time() - started, max(_memory("VmHWM") - base, 0)
            if line["outcome"] == "failed" and args.keep:
                args.keep.mkdir(parents=True, exist_ok=True)
                (args.keep / f"{name} {number} {path.name}").write_bytes(path.read_bytes())
            print(json.dumps({**line, "seconds": seconds, "bytes": taken}), flush=True)
    return 0


def _memory(kind: str) -> int:
    """Bytes that Linux counts for this process: VmSize, VmRSS, or VmHWM, the peak of that."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))


if __name__ == "__main__":
    sys.exit(main())
