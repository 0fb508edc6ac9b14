"""Cases: inputs as pictures, words and numbers, with bars or alone."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from kdistill.artifacts.figures import Bar, Case, Cases, Picture, Shown
from kdistill.report.cases import MOST, case_sections

BARS = [
    Bar("cat", {"teacher": 0.5, "student": 0.25}),
    Bar("cow", {"teacher": 0.5, "student": 0.75}),
]


def drawn(input: Shown, bars: list[Bar] = BARS, tensor: Tensor | None = None, **about: Any) -> str:
    case = Case("Labelled cow", input, bars, "Test index 4711.")
    pictures = {} if tensor is None else {("gallery", "inputs"): tensor}
    (page,) = case_sections([Cases("Disagreements", [case], "The worst.", **about)], pictures)
    return page


def picture(*rows: int) -> Shown:
    return Shown(Picture("gallery", "inputs", [*rows]))


def test_a_case_says_its_answers_in_words_and_bars() -> None:
    page = drawn(picture(0), tensor=torch.zeros(1, 1, 4, 4, dtype=torch.uint8))
    assert "<h2>Disagreements</h2>" in page
    assert "<h3>Labelled cow</h3>" in page
    assert "Test index 4711." in page
    assert "Labelled cow. Shares of teacher, student: cat 50 %, 25 %; cow 50 %, 75 %." in page
    widths = re.findall(r'<i class="(\w+)" style="width: ([\d.]+)%">', page)
    assert widths[:2] == [("teacher", "50.0"), ("student", "25.0")]
    assert re.sub("<[^>]*>", "", page).count("The worst. Bars: teacher, student.") == 1


@pytest.mark.parametrize(("shape", "pictures"), [((3, 6, 8), 1), ((1, 6, 8), 1), ((30,), 0)])
def test_only_images_are_drawn(shape: tuple[int, ...], pictures: int) -> None:
    page = drawn(picture(1), tensor=torch.rand(2, *shape))
    assert page.count('<img src="data:image/png;base64,') == page.count("<img") == pictures
    assert page.count('role="img"') == 1


def test_a_picture_that_is_gone_leaves_the_bars() -> None:
    page = drawn(picture(0))
    assert "<img" not in page
    assert "cow 50 %, 75 %" in page


def test_words_and_numbers_stand_under_the_heading() -> None:
    assert "</h3><p>a &lt;b&gt; cow</p>" in drawn(Shown(text="a <b> cow"))
    assert "</h3><p>1.000, -0.2500</p>" in drawn(Shown(numbers=[1.0, -0.25]), bars=[])


def test_several_rows_are_one_sheet_without_bars() -> None:
    page = drawn(picture(0, 1, 2), bars=[], tensor=torch.zeros(3, 1, 4, 4, dtype=torch.uint8))
    assert page.count("<img") == 1
    assert 'alt="3 pictures: Labelled cow"' in page
    assert "Bars" not in page


@pytest.mark.parametrize("input", [Shown(), picture(0), picture(0, 1)])
def test_what_cannot_be_drawn_is_left_out(input: Shown) -> None:
    assert drawn(input, bars=[], tensor=torch.zeros(2, 5)) == ""
    assert drawn(input, bars=[]) == ""


def test_a_share_outside_of_its_range_stays_in_its_column() -> None:
    page = drawn(Shown(), bars=[Bar("a", {"teacher": 1e300, "student": -2.0})])
    assert re.findall(r"width: ([\d.]+)%", page) == ["100.0", "0.0"]


def test_a_model_that_nobody_knows_has_no_bar() -> None:
    page = drawn(Shown(), bars=[Bar("a", {"<nobody>": 0.5, "student": 0.5})])
    assert "nobody" not in page
    assert page.count("<i ") == 1


def test_more_cases_than_a_page_takes_are_left_out() -> None:
    case = Case("a", Shown(text="b"))
    (page,) = case_sections([Cases("c", [case] * (MOST + 1))], {})
    assert page.count("<figure") == MOST
