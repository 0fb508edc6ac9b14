"""Curves are drawn as they are: each line in its model's colour, with its band, sizes and marks."""

import re
from dataclasses import replace

from kdistill.artifacts.figures import Curves, Line, Mark
from kdistill.report.lines import MOST, line_charts

STUDENT = Line("Student distilled", "student", [1, 10, 100], [3, 2, 1], cases=[5, 50, 500])
TEACHER = Line("Mean", "teacher", [1, 10, 100], [2, 2, 2], [1, 1, 1], [3, 3, 3], "8 in 10")
PERFECT = Line("Perfect", "", [1, 100], [1, 1])
CURVES = Curves(
    "Errors",
    "size",
    "errors, %",
    [PERFECT, TEACHER, STUDENT],
    "Words.",
    marks=[Mark("T = 4", "teacher", 4, 2)],
)


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_axes_legend_and_marks_are_those_of_the_data() -> None:
    (chart,) = line_charts([CURVES])
    assert (chart.title, chart.alternative) == ("Errors", "Words.")
    shown = texts(chart.svg)
    for text in ("size", "errors, %", "Perfect", "Mean", "8 in 10", "Student distilled", "T = 4"):
        assert shown.count(text) == 1
    assert all(f"var(--{model})" in chart.svg for model in ("teacher", "student"))
    assert "var(--baseline)" not in chart.svg


def test_points_of_more_cases_are_larger() -> None:
    (chart,) = line_charts([replace(CURVES, lines=[STUDENT], marks=[])])
    collection = chart.svg[chart.svg.index("PathCollection") :]
    circles = re.findall(r'd="(M[^"]*z\n)" clip-path', collection)
    heights = [[float(y) for y in re.findall(r" ([\d.]+) *\n", each)] for each in circles]
    sizes = [max(each) - min(each) for each in heights]
    assert len(sizes) == 3
    assert sizes == sorted(set(sizes))


def test_an_axis_may_be_logarithmic() -> None:
    plain, logarithmic = line_charts([CURVES, replace(CURVES, log=True)])
    assert "1" in texts(logarithmic.svg)
    assert {"1", "10", "100"} <= {*texts(logarithmic.svg)}
    assert "20" in texts(plain.svg)
    assert texts(plain.svg) != texts(logarithmic.svg)


def test_each_chart_has_its_own_ids() -> None:
    charts = line_charts([CURVES, CURVES])
    ids = [id for chart in charts for id in re.findall(r'\bid="([^"]+)"', chart.svg)]
    assert len(ids) == len(set(ids))


def test_more_charts_and_lines_than_a_page_takes_are_left_out() -> None:
    many = replace(CURVES, lines=[replace(PERFECT, label=f"line {n}") for n in range(MOST + 5)])
    charts = line_charts([replace(CURVES, lines=[])] * MOST + [many])
    assert len(charts) == MOST
    (chart,) = line_charts([many])
    assert f"line {MOST - 1}" in texts(chart.svg)
    assert f"line {MOST}" not in texts(chart.svg)
