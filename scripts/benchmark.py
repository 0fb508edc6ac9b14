"""Training speed beside other ways to distil, side by side: python scripts/benchmark.py --help.

Every contender gets the same models, data, batch size, epochs, threads and arithmetic; they take
turns, each in a process of its own, imports outside the clock, and what kdistill spends on asking
its teachers once is inside it. The peers come with `pip install 'kdistill[bench]'`. Raw figures go
to runs/benchmark.jsonl, the page to docs/benchmark.md and its plot beside it. A look in about a
minute: --short --out /tmp/benchmark.md
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from side_by_side.cases import CASES, EVERYBODY, LABELS, TITLES, Case

ROOT = Path(__file__).resolve().parent.parent
SHORT = {"images": 1280, "epochs": 4}
APART = ("ensemble", "small")  # the cases whose step is taken apart
Row = dict[str, Any]


def main() -> None:
    """Measure and write the page, or only write it again from the raw figures."""
    args = arguments()
    if not args.page_only:
        measure(chosen(args), args)
    from side_by_side.page import write_page  # matplotlib: not in the memory of the turns

    write_page(args.rows, args.out)
    print(f"page: {args.out}")


def arguments() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [case.name for case in CASES]
    parser.add_argument("--cases", nargs="+", choices=names, default=names)
    parser.add_argument("--contenders", nargs="+", choices=TITLES, default=[*EVERYBODY, LABELS])
    parser.add_argument("--alternations", type=int, default=3, help="turns of each contender")
    parser.add_argument("--epochs", type=int, help="instead of each case's own")
    parser.add_argument("--images", type=int, help="instead of each case's own")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="one alternation, little data")
    parser.add_argument("--rows", type=Path, default=ROOT / "runs" / "benchmark.jsonl")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmark.md")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    return parser.parse_args()


def chosen(args: argparse.Namespace) -> list[Case]:
    """The cases asked for, in the size asked for."""
    cases = [case for case in CASES if case.name in args.cases]
    if args.short:
        args.alternations = 1
        cases = [shortened(case) for case in cases]
    for size in ("images", "epochs"):
        if getattr(args, size):
            cases = [replace(case, **{size: getattr(args, size)}) for case in cases]
    return [
        replace(case, contenders=tuple(one for one in case.contenders if one in args.contenders))
        for case in cases
    ]


def shortened(case: Case) -> Case:
    """Never more images than the case has."""
    return replace(case, images=min(SHORT["images"], case.images // 5), epochs=SHORT["epochs"])


def measure(cases: list[Case], args: argparse.Namespace) -> None:
    """Let the contenders take turns; every figure is in the file before the next is measured."""
    args.rows.parent.mkdir(parents=True, exist_ok=True)
    with args.rows.open("w", encoding="utf-8") as file:
        for row in rows(cases, args):
            file.write(json.dumps(row) + "\n")
            file.flush()


def rows(cases: list[Case], args: argparse.Namespace) -> Iterator[Row]:
    """First the machine, then every turn, then where kdistill's time goes."""
    threads = {"threads": args.threads}
    yield {"kind": "machine", **in_child("machine", threads)}
    for case in cases:
        print(f"\n{case.title} ({case.images} images, {case.epochs} epochs, {case.precision})")
        for alternation in range(args.alternations):
            for contender in turned(case.contenders, alternation):
                told = {"case": asdict(case), "contender": contender, "seed": alternation}
                taken = in_child("turn", {**told, **threads})
                show(case, contender, taken)
                load = os.getloadavg()[0]
                yield {"kind": "turn", **told, **threads, "load": load, **taken}
        if case.name in APART:
            spent = in_child("where", {"case": asdict(case), **threads})
            yield {"kind": "where", "case": asdict(case), **spent}


def turned(contenders: tuple[str, ...], alternation: int) -> tuple[str, ...]:
    """Another one goes first each time."""
    first = alternation % max(len(contenders), 1)
    return contenders[first:] + contenders[:first]


def in_child(module: str, told: dict[str, Any]) -> dict[str, Any]:
    """What a module of side_by_side prints, run in a process of its own."""
    command = [sys.executable, "-m", f"side_by_side.{module}", json.dumps(told)]
    threads = str(told["threads"])
    found = os.pathsep.join([str(Path(__file__).parent), str(ROOT)])  # the kdistill beside this
    environment = {**os.environ, "PYTHONPATH": found}
    environment |= {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def show(case: Case, contender: str, taken: dict[str, float]) -> None:
    """One line on the terminal."""
    samples = case.images * case.epochs
    print(
        f"  {TITLES[contender]:24} {samples / taken['wall']:8.0f} samples/s "
        f"{samples / taken['cpu']:8.0f} samples/CPU-s  {taken['peak']:5.0f} MiB  "
        f"loss {taken['loss']:.4f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
