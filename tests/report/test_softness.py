"""The entropy of soft targets against the temperature."""

import re
from dataclasses import replace

import pytest
import torch

from kdistill.artifacts.run_folder import RunFolder
from kdistill.report.contents import Contents, read
from kdistill.report.softness import soften, softness


def taught(folder: RunFolder, answers: torch.Tensor, loss: str) -> Contents:
    folder.config.write_text(f"loss: {loss}")
    return replace(read(folder), predictions={"teacher": answers})


def test_says_the_entropy_at_one_and_at_the_temperature_of_the_loss(folder: RunFolder) -> None:
    # odds of 16 are 4 at T = 2: 0.8 and 0.2, which is 0.722 bits
    chart = softness(taught(folder, torch.tensor([[16 / 17, 1 / 17]]), "{temperature: 2}"))
    assert chart is not None
    assert "0.323 bits at T = 1, 0.722 bits at T = 2 (the loss'), of 1.00 bits" in chart.alternative
    assert re.findall(r">T = ([\d.]+)</text>", chart.svg) == ["1", "2"]


def test_a_loss_without_a_temperature_is_told(folder: RunFolder) -> None:
    chart = softness(taught(folder, torch.eye(4), "{}"))
    assert chart is not None
    said = "0.000 bits at T = 1, of 2.00 bits at the most. The loss of this run names no temp"
    assert said in chart.alternative


def test_a_long_test_set_is_thinned_and_a_missing_teacher_has_no_chart(folder: RunFolder) -> None:
    chart = softness(read(folder))
    assert chart is not None
    assert "answers to 2,000 test inputs" in chart.alternative
    assert softness(replace(read(folder), predictions={})) is None


def test_the_band_holds_eight_inputs_in_ten() -> None:
    unsure = torch.linspace(0, 0.5, 101)
    soft = soften(torch.stack([1 - unsure, unsure], 1), 1.0)
    bits = [float(-(p * p.log2() + (1 - p) * (1 - p).log2())) for p in torch.tensor([0.05, 0.45])]
    assert (soft.low, soft.high) == pytest.approx(bits, abs=1e-5)
    assert soft.low < soft.mean < soft.high
