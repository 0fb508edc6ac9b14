"""The reliability diagram."""

import torch

from kdistill.tasks.shown.reliability import reliability_curves


def test_says_what_each_model_claims_and_how_often_it_is_right() -> None:
    labels = torch.tensor([0] * 6 + [1] * 4)
    sure = torch.tensor([[0.9, 0.1]]).repeat(10, 1)
    curves = reliability_curves({"student": sure, "teacher": 1 - sure}, labels, 15)
    assert "Student distilled: claims 90.00 %, is right 60.00 %" in curves.note
    assert "Teacher: claims 90.00 %, is right 40.00 %" in curves.note
    assert "Student alone" not in curves.note
    perfect, teacher, student = curves.lines
    assert (perfect.model, perfect.x, perfect.y) == ("", [0, 1], [0, 1])
    assert (teacher.model, teacher.y, teacher.cases) == ("teacher", [0.4], [10])
    assert (student.model, student.y, student.cases) == ("student", [0.6], [10])


def test_a_handful_of_cases_is_told_but_not_drawn() -> None:
    curves = reliability_curves({"student": torch.eye(2)}, torch.zeros(2).long(), 15)
    assert "Student distilled: claims 100.00 %, is right 50.00 %" in curves.note
    assert [line.model for line in curves.lines] == [""]


def test_bins_are_those_asked_for() -> None:
    confidence = torch.linspace(0.51, 0.99, 40)
    student = torch.stack([confidence, 1 - confidence], 1)
    for bins in (4, 8):
        curves = reliability_curves({"student": student}, torch.zeros(40).long(), bins)
        assert f"({bins} bins; those" in curves.note
        assert len(curves.lines[1].x) == bins / 2  # confidence is above one half
