"""The reliability diagram."""

import re

import torch

from kdistill.report.reliability import reliability_diagram


def test_says_what_each_model_claims_and_how_often_it_is_right() -> None:
    labels = torch.tensor([0] * 6 + [1] * 4)
    sure = torch.tensor([[0.9, 0.1]]).repeat(10, 1)
    chart = reliability_diagram({"labels": labels, "student": sure, "teacher": 1 - sure}, 15)
    assert chart is not None
    assert "Student distilled: claims 90.00 %, is right 60.00 %" in chart.alternative
    assert "Teacher: claims 90.00 %, is right 40.00 %" in chart.alternative
    assert "Student alone" not in chart.alternative + chart.svg


def test_a_handful_of_cases_is_told_but_not_drawn() -> None:
    chart = reliability_diagram({"labels": torch.zeros(2).long(), "student": torch.eye(2)}, 15)
    assert chart is not None
    assert "Student distilled: claims 100.00 %, is right 50.00 %" in chart.alternative
    assert "Student distilled" not in chart.svg


def test_runs_without_class_probabilities_have_none() -> None:
    assert reliability_diagram({"index": torch.arange(3)}, 15) is None
    assert reliability_diagram({"labels": torch.arange(3)}, 15) is None


def test_bins_are_those_asked_for() -> None:
    labels = torch.zeros(40).long()
    confidence = torch.linspace(0.51, 0.99, 40)
    said = {"labels": labels, "student": torch.stack([confidence, 1 - confidence], 1)}
    for bins in (4, 8):
        chart = reliability_diagram(said, bins)
        assert chart is not None
        assert f"({bins} bins; those" in chart.alternative
        line = re.search(r'd="([^"]*)"[^>]*stroke: var\(--student\)', chart.svg)
        assert line is not None
        assert len(re.findall("[ML] ", line[1])) == bins / 2  # confidence is above one half
