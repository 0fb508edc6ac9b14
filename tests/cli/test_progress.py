"""Progress: plain lines off a terminal, bars on one, warnings loud on both."""

import io
import logging
import time

import pytest
from rich.console import Console

from kdistill.cli.progress import shown
from kdistill.events import EpochEnded, Progress, StageEnded, StageStarted, Warned

EPOCH = EpochEnded("student", 3, 20, {"loss": 0.2134}, {"errors": 93.0}, 0.001, 4.12)
RUN = [
    StageStarted("teacher 1/2"),
    StageEnded("teacher 1/2", 0.1, reused=True, note="93 errors [old]"),
    StageStarted("student", 100),
    *[Progress("student", step) for step in range(1, 101)],
    EPOCH,
    Warned("mnist [bundled] is a sample"),
    StageEnded("student", 8.04),
]


def show(terminal, width=140, run=RUN):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=width)
    with shown(console) as listener:
        for event in run:
            listener(event)
    return console.file.getvalue()


def test_off_a_terminal_each_epoch_and_stage_is_one_plain_line():
    assert show(terminal=False) == (
        "teacher 1/2  reused  93 errors [old]\n"
        "student  epoch 3/20  loss 0.2134  validation errors 93  lr 0.001  4.1 s\n"
        "WARNING: mnist [bundled] is a sample\n"
        "student  done in 8.0 s\n"
    )


def test_on_a_terminal_there_is_a_bar_per_stage_and_a_loud_warning():
    drawn = show(terminal=True)
    assert "\x1b[1;33mWARNING: mnist [bundled] is a sample\x1b[0m" in drawn
    last = drawn.rpartition("teacher 1/2")[2]  # the last drawing
    assert "reused 93 errors [old]" in last
    assert "student" in last
    assert "100%" in last
    assert "3/20  errors 93  loss 0.2134" in last


def test_on_a_narrow_terminal_the_last_figures_give_way():
    last = show(terminal=True, width=70).rpartition("teacher 1/2")[2]
    assert "100%" in last
    assert "3/20  errors 93" in last
    assert "…" in last


@pytest.mark.parametrize("terminal", [False, True])
def test_names_of_a_stranger_are_text(terminal, caplog):
    caplog.set_level(logging.INFO)
    name = "[/x]\x1b]0;p\x07\n"
    epoch = EpochEnded(name, 1, 1, {name: 0.1}, {name: 0.2})
    run = [StageStarted(name, 3), Warned(name), epoch, StageEnded(name, 1.0, note=name)]
    drawn = show(terminal, 240, run)
    assert "\x1b]" not in drawn
    assert "\x07" not in drawn
    assert drawn.count(r"[/x]\x1b]0;p\x07\n") >= 5
    assert [record.message.count("\n") for record in caplog.records] == [0, 0, 0]


@pytest.mark.parametrize("terminal", [False, True])
def test_the_log_gets_the_lines_in_both(terminal, caplog):
    caplog.set_level(logging.INFO)
    show(terminal)
    assert [record.message.split("  ")[0] for record in caplog.records] == [
        "teacher 1/2",
        "student",
        "WARNING: mnist [bundled] is a sample",
        "student",
    ]
    assert [record.levelname for record in caplog.records].count("WARNING") == 1


def test_many_steps_cost_little():
    console = Console(file=io.StringIO(), force_terminal=True)
    with shown(console) as listener:
        listener(StageStarted("student", 100_000))
        began = time.process_time()
        for step in range(100_000):
            listener(Progress("student", step))
        spent = time.process_time() - began
    assert spent < 5  # seconds for 100 000 steps: 50 us a step; drawing each costs 100 times more
