"""Where the time went, and what was asked."""

import re
from dataclasses import replace

import pytest

from kdistill.artifacts.result import Result
from kdistill.artifacts.run_folder import RunFolder
from kdistill.report.contents import read
from kdistill.report.stages import stages


def test_bars_are_as_long_as_the_stages_took(folder: RunFolder, result: Result) -> None:
    seconds = {"teacher": 30.0, "student": 15.0, "total": 60.0}
    page = stages(replace(read(folder), result=replace(result, seconds=seconds)))
    assert re.findall(r"width: ([\d.]+)%", page) == ["50.0", "25.0", "100.0"]
    texts = re.findall(r"<span>([^<]+)</span>", page)
    assert texts == [
        *("Teacher", "30.0 s"), *("Student distilled", "15.0 s"), *("Total", "1 min 00 s")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("signals", "said"),
    [
        (
            {"mode": "stored", "asked": 500, "reused": 3000},
            "The teacher was asked about 500 inputs; 3,000 answers were stored before. "
            "Training looked each of them up once an epoch, in 20 epochs.",
        ),
        ({"mode": "live"}, "The teacher answered live, at every step."),
    ],
)
def test_says_what_was_asked_and_what_reused(
    folder: RunFolder, result: Result, signals: dict[str, object], said: str
) -> None:
    page = stages(replace(read(folder), result=replace(result, signals=signals)))
    assert re.findall(r"<p[^>]*>(.*?)</p>", page) == [said]


def test_a_run_without_a_teacher_says_nothing_of_one(folder: RunFolder, result: Result) -> None:
    assert "<p" not in stages(
        replace(read(folder), result=replace(result, signals={"mode": "none"}))
    )


def test_stages_of_models_that_are_not_there_are_left_out(
    folder: RunFolder, result: Result
) -> None:
    seconds = dict.fromkeys(("teacher", "signals", "student", "baseline", "total"), 1.0)
    alone = {**result.models, "teacher": None, "baseline": None}
    page = stages(replace(read(folder), result=replace(result, seconds=seconds, models=alone)))
    assert re.findall(r"<span>([^<]+)</span>", page)[::2] == ["Student distilled", "Total"]
