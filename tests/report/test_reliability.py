"""The reliability diagram."""

import torch

from kdistill.report.reliability import reliability_diagram


def test_says_what_each_model_claims_and_how_often_it_is_right() -> None:
    labels = torch.tensor([0] * 6 + [1] * 4)
    sure = torch.tensor([[0.9, 0.1]]).repeat(10, 1)
    chart = reliability_diagram({"labels": labels, "student": sure, "teacher": 1 - sure})
    assert chart is not None
    assert "Student distilled: claims 90.00 %, is right 60.00 %" in chart.alternative
    assert "Teacher: claims 90.00 %, is right 40.00 %" in chart.alternative
    assert "Student alone" not in chart.alternative + chart.svg


def test_a_handful_of_cases_is_told_but_not_drawn() -> None:
    chart = reliability_diagram({"labels": torch.zeros(2).long(), "student": torch.eye(2)})
    assert chart is not None
    assert "Student distilled: claims 100.00 %, is right 50.00 %" in chart.alternative
    assert "Student distilled" not in chart.svg


def test_runs_without_class_probabilities_have_none() -> None:
    assert reliability_diagram({"index": torch.arange(3)}) is None
    assert reliability_diagram({"labels": torch.arange(3)}) is None
