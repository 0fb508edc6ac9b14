"""report.md: pastes into an issue, with the figures of the result."""

import re
from dataclasses import replace
from html import escape

import pytest
from markdown_it import MarkdownIt

from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.errors import UserError
from kdistill.report.comparison import compare
from kdistill.report.contents import read
from kdistill.report.markdown import escaped, markdown
from kdistill.report.verdict import verdict


def test_rows_hold_the_figures_of_the_comparison(folder: RunFolder, result: Result) -> None:
    rows = [
        [cell.strip().strip("*") for cell in row.strip("|").split("|")]
        for row in markdown(read(folder)).splitlines()
        if row.startswith("|")
    ]
    by_title = {row[0]: row[1:4] for row in rows}
    compared = compare(result)
    for line in [*compared.measures, *compared.costs]:
        for written, model in zip(by_title[line.title], compared.models, strict=True):
            cell = line.cells.get(model)
            ends = f" ({cell.interval})" if cell and cell.interval else ""
            assert written == (f"{cell.text}{ends}" if cell else "")


def test_every_table_is_rectangular(folder: RunFolder) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", markdown(read(folder)), flags=re.MULTILINE):
        assert len({row.count("|") for row in table.splitlines()}) == 1


def test_has_verdict_warning_members_settings_and_provenance(
    folder: RunFolder, result: Result
) -> None:
    text = markdown(read(folder))
    for part in (
        f"**{verdict(result)}**",
        f"**Warning:** {result.warnings[0]}",
        "| Member 5 | 102 |",
        "loss.parts[0]: SoftTargets, temperature 8.0, hard_weight 0.1",
        "commit: c0ffee1",
        "signals 3.2 s",
        "fingerprint feedfacecafebeef",
    ):
        assert part in text


def test_a_strangers_strings_are_no_markup(folder: RunFolder, result: Result) -> None:
    hostile = "<img src=x>\n# *big* [a](http://b) | cell"
    environment = {"host": "```\n<b>out</b>"}
    replace(result, warnings=[hostile], environment=environment).write(folder.result)
    text = markdown(read(folder))
    assert r"&lt;img src=x&gt; \# \*big\* \[a\](http://b) \| cell" in text
    assert text.count("```") == 4
    assert r"host: ''' \x3cb>out\x3c/b>" in text


def test_an_unfinished_run_is_refused(folder: RunFolder) -> None:
    folder.result.unlink()
    with pytest.raises(UserError, match="the run is not finished"):
        markdown(read(folder))


def test_an_added_table_stands_with_its_note(folder: RunFolder) -> None:
    text = markdown(read(folder))
    added = text[text.index("## Covered classes") :].splitlines()[2:9]
    assert added == [
        "| specialists | cases | gain, % |",
        "| --- | ---: | ---: |",
        "| none | 12,345 | 0.00 |",
        r"| &lt;b&gt;1-2&lt;/b&gt; | 1 | -3.142 |",
        "| 3 |  |  |",
        "",
        r"Gain in \*top\* answers.",
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("mnist_ensemble", "mnist_ensemble"),  # no markup inside a word
        ("loss.temperature=4, widths=8", "loss.temperature=4, widths=8"),
        ("-3.142", "-3.142"),
        ("_a_ __b__ c_", r"\_a\_ \_\_b\_\_ c\_"),
        ("- a", r"\- a"),
        ("1. a", r"1\. a"),
        ("---", r"\---"),
        ("a | b", r"a \| b"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("a\x1b[2J\nb", r"a\\x1b\[2J b"),
    ],
)
def test_letters_are_escaped_where_they_are_markup(text: str, written: str) -> None:
    assert escaped(text) == written
    rendered = MarkdownIt("commonmark").enable("table").render(escaped(text))
    plain = " ".join(text.split()).replace("\x1b", r"\x1b")
    assert rendered == f"<p>{escape(plain)}</p>\n"
