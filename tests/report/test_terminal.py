"""What a run prints at its end."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.report.comparison import compare
from kdistill.report.terminal import terminal
from kdistill.report.verdict import verdict

FOLDER = RunFolder(Path("runs/mnist_ensemble/2030-01-01"))


def printed(result: Result) -> str:
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(terminal(result, FOLDER))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_fits_80_columns_with_every_figure_uncut(result: Result) -> None:
    text = printed(result)
    assert max(map(len, text.splitlines())) <= 80
    rows = {tuple(row.split()) for row in text.splitlines()}
    for line in [*compare(result).measures, *compare(result).costs]:
        figures = " ".join([line.title, *(cell.text for cell in line.cells.values())])
        assert tuple(figures.split()) in rows


def test_says_verdict_warnings_source_and_where_the_report_is(result: Result) -> None:
    flat = " ".join(printed(result).split())
    assert verdict(result) in flat
    assert f"WARNING: {result.warnings[0]}" in flat
    assert "mnist (bundled), seed 3" in flat
    assert "median, 2 threads, cpu" in flat
    assert str(FOLDER.report_html) in flat


@pytest.mark.parametrize("hostile", ["\x1b[2J", "[bold]red[/bold]", "[/nothing]"])
def test_a_strangers_strings_are_printed_as_text(result: Result, hostile: str) -> None:
    text = printed(replace(result, warnings=[f"a{hostile}b"]))
    assert f"a{hostile}b".replace("\x1b", "\\x1b") in text
    assert "\x1b" not in text


def test_an_added_table_stands_with_its_note(result: Result) -> None:
    lines = [line.split() for line in printed(result).splitlines()]
    at = lines.index(["Covered", "classes"])
    assert lines[at + 1 : at + 6] == [
        ["specialists", "cases", "gain,", "%"],
        ["none", "12,345", "0.00"],
        ["<b>1-2</b>", "1", "-3.142"],
        ["3"],
        ["Gain", "in", "*top*", "answers."],
    ]
