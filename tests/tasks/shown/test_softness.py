"""The entropy of soft targets against the temperature."""

import pytest
import torch

from kdistill.tasks.shown.softness import POINTS, soften, softness_curves, temperatures_of


def test_says_the_entropy_at_one_and_at_the_temperature_of_the_loss() -> None:
    # odds of 16 are 4 at T = 2: 0.8 and 0.2, which is 0.722 bits
    curves = softness_curves(torch.tensor([[16 / 17, 1 / 17]]), [2.0])
    assert "0.323 bits at T = 1, 0.722 bits at T = 2 (the loss'), of 1.00 bits" in curves.note
    marks = [(mark.label, mark.x, round(mark.y, 3)) for mark in curves.marks]
    assert marks == [("T = 1", 1, 0.323), ("T = 2", 2, 0.722)]
    assert curves.log


def test_the_curve_rises_from_the_lowest_mark_to_the_uniform_distribution() -> None:
    curves = softness_curves(torch.tensor([[0.7, 0.2, 0.1]]), [0.5])
    certain, uniform, mean = curves.lines
    assert (mean.x[0], mean.x[-1], len(mean.x)) == (pytest.approx(0.5), pytest.approx(20), POINTS)
    assert mean.y == sorted(mean.y)
    assert mean.y[-1] < uniform.y[0] == pytest.approx(1.585, abs=1e-3)
    assert certain.y == [0, 0]


def test_a_loss_without_a_temperature_is_told() -> None:
    curves = softness_curves(torch.eye(4), [])
    said = "0.000 bits at T = 1, of 2.00 bits at the most. The loss of this run names no temp"
    assert said in curves.note


def test_a_long_test_set_is_thinned() -> None:
    assert "answers to 2,000 test inputs" in softness_curves(torch.eye(4).repeat(2000, 1), []).note


def test_the_band_holds_eight_inputs_in_ten() -> None:
    unsure = torch.linspace(0, 0.5, 101)
    soft = soften(torch.stack([1 - unsure, unsure], 1), 1.0)
    bits = [float(-(p * p.log2() + (1 - p) * (1 - p).log2())) for p in torch.tensor([0.05, 0.45])]
    assert (soft.low, soft.high) == pytest.approx(bits, abs=1e-5)
    assert soft.low < soft.mean < soft.high


def test_temperatures_are_all_that_the_loss_names() -> None:
    assert temperatures_of({"parts": [{"temperature": 8.0}, {"temperature": 8}]}) == [8.0]
    mixture = {"a": {"loss": {"temperature": 4}}, "b": {"loss": {"temperature": 1.5}}, "c": {}}
    assert temperatures_of({"terms": mixture}) == [1.5, 4.0]
    extreme = {
        "a": {"temperature": 1e-300},
        "b": {"temperature": 1e300},
        "c": {"temperature": 1e-3},
    }
    assert temperatures_of(extreme) == [0.001]
    many = {f"a{place}": {"temperature": place + 1} for place in range(30)}
    assert temperatures_of(many) == [*range(1, 21)]
    assert temperatures_of({"temperature": "${oc.env:HOME}"}) == temperatures_of(None) == []
