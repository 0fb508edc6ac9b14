"""report.html: one page for everybody, that fetches nothing and runs nothing."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from kdistill.artifacts.figures import (
    Bar,
    Case,
    Cases,
    Curves,
    Line,
    Mark,
    Matrix,
    Picture,
    Shown,
)
from kdistill.artifacts.result import Gain, Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.report.comparison import compare
from kdistill.report.contents import read
from kdistill.report.html import html
from kdistill.report.verdict import verdict

VOID = {"meta", "img"}


class Page(HTMLParser):
    """Elements with their attributes and text; refuses a page whose tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[tuple[str, list[str]]] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append((tag, []))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        opened, parts = self._open.pop()
        assert opened == tag
        self.texts.setdefault(tag, []).append(" ".join(parts))

    def handle_data(self, data: str) -> None:
        for _, parts in self._open:
            parts.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(standing: RunFolder) -> str:
    return standing.report_html.read_text(encoding="utf-8")


def test_rows_hold_the_figures_of_the_comparison(page: str, result: Result) -> None:
    rows = [row.split() for row in Page(page).texts["tr"]]
    compared = compare(result)
    for line in [*compared.measures, *compared.costs]:
        figures = " ".join(f"{cell.text} {cell.interval}" for cell in line.cells.values())
        assert f"{line.title} {line.hint} {figures}".split() in rows


def test_the_verdict_comes_first_then_warnings(page: str, result: Result) -> None:
    assert Page(page).texts["p"][0] == verdict(result)
    order = [page.index(words) for words in (verdict(result), result.warnings[0], "<table")]
    assert order == sorted(order)


def test_says_settings_and_provenance(page: str) -> None:
    texts = Page(page).texts
    pairs = dict(zip(texts["dt"], texts["dd"], strict=True))
    assert pairs["loss.parts[0]"] == "SoftTargets, temperature 8.0, hard_weight 0.1"
    assert pairs["config hash"] == "0123456789abcdef"
    assert pairs["fingerprint"] == "feedfacecafebeef"
    assert pairs["commit"] == "c0ffee1"


def test_fetches_nothing_and_runs_nothing(page: str) -> None:
    shown = Page(page)
    assert not {"script", "link", "iframe", "object", "base"} & {n for n, _ in shown.elements}
    for _, attributes in shown.elements:
        assert not [name for name in attributes if name.startswith("on")]
        fetched = [v for name, v in attributes.items() if name in ("src", "href", "xlink:href")]
        assert all(value.startswith(("#", "data:image/png;base64,")) for value in fetched)
    assert not re.search(r"@import|url\((?!#)", page)


def test_every_figure_has_a_text_alternative_with_its_numbers(page: str) -> None:
    shown = Page(page)
    labels = [a["aria-label"] for tag, a in shown.elements if a.get("role") == "img"]
    assert len(labels) == len(shown.all("figure")) == 15
    assert len(shown.all("svg")) == 5  # the others are two matrices and the gallery
    assert labels[0].startswith("Errors on validation data. Student distilled: 51 after epoch 1")
    assert "Student alone: 151 with 1.28 M parameters" in labels[4]


def test_charts_take_their_colours_from_the_page(page: str) -> None:
    charts = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert not re.findall(r"#[0-9a-f]{6}\b(?=[;\"])", charts)
    for variable in ("--teacher", "--baseline", "--student", "--rule"):
        assert f"var({variable})" in charts


def test_ids_are_unique_and_every_reference_has_one(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) <= set(ids)


@pytest.mark.parametrize("classes", [2, 9])
def test_a_strangers_strings_are_text(folder: RunFolder, result: Result, classes: int) -> None:
    hostile = '"><script>alert(1)</script><img src="http://b" onerror="x">'
    line, mark = Line(hostile, "", [1], [2], band=hostile), Mark(hostile, "student", 1, 2)
    bar = Bar(hostile, {hostile: 3.0, "student": -1.0})
    inputs = [Shown(text=hostile), Shown(numbers=[1e99]), Shown(Picture("gallery", "inputs", []))]
    measures = {hostile: next(iter(result.models["teacher"].measures.values()))}  # type: ignore[union-attr]
    models = {
        name: replace(model, measures={**model.measures, **measures})
        for name, model in result.models.items()
        if model
    }
    replace(
        result,
        experiment=hostile,
        main=hostile,
        config_hash=hostile,
        models=models,
        dataset={"name": hostile, "source": hostile, "note": hostile},
        environment={hostile: hostile},
        seconds={hostile: 1.0},
        compression={hostile: 2.0},
        warnings=[hostile],
        terms={hostile: hostile},
        curves=[Curves(hostile, hostile, hostile, [line], hostile, marks=[mark])],
        matrices=[Matrix("student", [hostile, "b"], [[1, 2], [3, 4]], classes, hostile)],
        cases=[Cases(hostile, [Case(hostile, shown, [bar], hostile) for shown in inputs], hostile)],
    ).write(folder.result)
    folder.config.write_text(f"loss: {{temperature: '{hostile}'}}")
    line = {"stage": "student", "epoch": 1, "epochs": 1, "terms": {}, "validation": {hostile: 1.0}}
    folder.history.write_text(f"{json.dumps(line)}\n")
    page = html(read(folder))
    test_fetches_nothing_and_runs_nothing(page)
    assert "&lt;script&gt;" in page


def test_a_second_rendering_is_the_same_bytes(page: str, folder: RunFolder) -> None:
    assert html(read(folder)) == page


@pytest.mark.parametrize("missing", ["teacher", "baseline"])
def test_a_missing_model_leaves_no_trace_in_the_table(
    folder: RunFolder, result: Result, missing: str
) -> None:
    without = replace(result, models={**result.models, missing: None}, cases=[])
    columns = {
        a["class"]
        for a in Page(html(replace(read(folder), result=without))).all("span")
        if "mark" in a.get("class", "")
    }
    assert columns == {f"mark {name}" for name in result.models if name != missing}


def test_a_folder_with_nothing_but_the_result_has_its_table(
    folder: RunFolder, result: Result
) -> None:
    for path in (folder.config, folder.history, folder.kept("gallery")):
        path.unlink()
    page = Page(html(read(folder)))
    assert page.texts["p"][0] == verdict(result)
    assert len(page.all("figure")) == 13  # all but two of the history
    assert not page.all("img")  # the gallery's bars stand alone


def test_outcome_is_said_in_words_too(folder: RunFolder, result: Result) -> None:
    replace(result, gain=Gain(0.1, 0.6, "McNemar", ["errors"])).write(folder.result)
    assert Page(html(read(folder))).texts["strong"][0] == "No gain shown"


def test_an_added_table_stands_with_its_note(page: str) -> None:
    texts = Page(page).texts
    assert "Covered classes" in texts["h2"]
    rows = [row.split() for row in texts["tr"]]
    for row in (["none", "12,345", "0.00"], ["<b>1-2</b>", "1", "-3.142"], ["3"]):
        assert row in rows
    assert "Gain in *top* answers." in texts["p"]
