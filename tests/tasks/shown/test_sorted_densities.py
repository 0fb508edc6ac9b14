"""Sorted log-densities."""

import torch

from kdistill.tasks.shown.sorted_densities import POINTS, sorted_densities, thinned


def test_each_model_is_sorted_by_itself() -> None:
    log = {"student": torch.tensor([-3.0, -1.0, -2.0]), "teacher": torch.tensor([-1.0, -2.0, -5.0])}
    curves = sorted_densities(log)
    teacher, student = curves.lines
    assert (teacher.y, student.y) == ([-5, -2, -1], [-3, -2, -1])
    assert student.x == [0, 50, 100]
    assert curves.note == (
        "Of 3 test inputs, sorted for each model by itself. "
        "Medians: teacher -2.0, student distilled -2.0."
    )


def test_many_inputs_are_thinned_between_the_least_and_the_greatest() -> None:
    share, level = thinned(torch.arange(5001.0))
    assert len(share) == len(level) == POINTS
    assert (share[0], share[-1], level[0], level[-1]) == (0, 100, 0, 5000)
    assert thinned(torch.tensor([2.5])) == ([0], [2.5])
