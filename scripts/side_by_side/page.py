"""The page: docs/benchmark.md between its two marks, and the plot beside it."""

import json
from pathlib import Path
from typing import Any

from side_by_side.cases import LABELS, STORED, TITLES
from side_by_side.figures import Figures, Loops, Spread, by_case, compared, loops
from side_by_side.plot import draw

BEGIN, END = "<!-- figures: written by scripts/benchmark.py -->", "<!-- end of figures -->"
Row = dict[str, Any]


def write_page(rows_file: Path, out: Path) -> None:
    """Put the figures between the marks of `out`, or write it anew; the plot is `out` as .svg."""
    rows = [json.loads(line) for line in rows_file.read_text(encoding="utf-8").splitlines()]
    kept = out.read_text(encoding="utf-8") if out.exists() else ""
    out.parent.mkdir(parents=True, exist_ok=True)
    plot = out.with_suffix(".svg")
    out.write_text(placed(kept, figures(rows, plot.name)), encoding="utf-8")
    draw({name: compared(turns) for name, turns in by_case(rows).items()}, rows, plot)


def placed(page: str, figures: str) -> str:
    """`page` with `figures` between its marks; a page of its own where there are none."""
    if BEGIN not in page or END not in page:
        page = f"# Benchmark\n\n{BEGIN}\n{END}\n"
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    return f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}"


def figures(rows: list[Row], plot: str) -> str:
    """Everything measured, in Markdown."""
    turns = by_case(rows)
    machine = [row for row in rows if row["kind"] == "machine"]
    parts = [machine_words(row, rows) for row in machine]
    parts.append(f"![Training samples a CPU-second of every contender, by case]({plot})")
    for about in turns.values():
        parts.append(heading(about[0]["case"], about))
        found = loops(about) if LABELS in {row["contender"] for row in about} else None
        parts.append(loops_words(found) if found else table(compared(about)))
    spent = [row for row in rows if row["kind"] == "where"]
    if spent:
        parts += ["## Where a step's time goes", where_table(spent)]
    return "\n\n".join(parts)


def machine_words(machine: Row, rows: list[Row]) -> str:
    """The machine, the versions, and how busy it was."""
    loads = Spread.of(row["load"] for row in rows if row["kind"] == "turn")
    packages = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    rates = machine["gflops"]
    return (
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['instructions']}; "
        f"{machine['threads']} thread{'s' * (machine['threads'] > 1)}; Python {machine['python']}, "
        f"{packages}. Products of 1024 x 1024 matrices, measured before the first turn: "
        f"{rates['fp32']:.0f} GFLOP/s in fp32, {rates['bf16']:.2g} in bf16. Load average during "
        f"the turns: {loads.mean:.1f} ({loads.low:.1f} to {loads.high:.1f})."
    )


def heading(case: Row, turns: list[Row]) -> str:
    """The case and its size."""
    alternations = len({row["seed"] for row in turns})
    return (
        f"## {case['title']}\n\n{case['images']:,} images, {case['epochs']} epochs, "
        f"{case['precision']}, {alternations} alternation{'s' * (alternations > 1)}."
    )


def table(found: list[Figures]) -> str:
    """One line a contender."""
    lines = [
        "| | samples/s | samples/CPU-s | times the best live peer, wall | per CPU-second "
        "| peak memory | final loss |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in found:
        bold = "**" if one.contender == STORED else ""
        cells = [
            f"{bold}{TITLES[one.contender]}{bold}",
            f"{one.wall.mean:,.0f}",
            f"{one.cpu.mean:,.0f}",
            spread(one.wall_ratio),
            spread(one.cpu_ratio),
            f"{one.peak:,.0f} MiB",
            f"{one.loss:.3f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def spread(value: Spread | None) -> str:
    """1.23 (1.20 to 1.27), or 1.23 where only one was measured."""
    if value is None:
        return ""
    several = value.low < value.high
    return f"{value.mean:.2f}" + (f" ({value.low:.2f} to {value.high:.2f})" if several else "")


def loops_words(found: Loops) -> str:
    """The distillation's loop in units of the loop on labels."""
    return (
        f"The loop of the distillation took {spread(found.cpu)} times the CPU-seconds of the loop "
        f"on labels alone, {spread(found.wall)} times its wall-seconds. Beside it, and not in "
        f"these figures: asking the teachers once took {found.asking:.1f} s, the distillation's "
        f"loop {found.loop:.1f} CPU-seconds."
    )


def where_table(spent: list[Row]) -> str:
    """CPU milliseconds of one step, a column a case."""
    titles = [f"{row['case']['title']}" for row in spent]
    lines = ["| CPU milliseconds a step | " + " | ".join(titles) + " |"]
    lines.append("| --- |" + " ---: |" * len(spent))
    for name in spent[0]["parts"]:
        cells = [f"{row['parts'][name]:.2f}" for row in spent]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    sums = [
        ("**the loop (`Fit`)**", [f"**{row['loop']:.2f}**" for row in spent]),
        ("the step's matrix products alone", [f"{row['products']:.2f}" for row in spent]),
        ("GFLOP/s of these", [f"{row['flops'] / row['products'] / 1e6:.0f}" for row in spent]),
        ("the loop in units of them", [f"{row['loop'] / row['products']:.2f}" for row in spent]),
    ]
    lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in sums]
    return "\n".join(lines)
