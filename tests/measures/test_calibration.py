"""Calibration: hand-computed bins and errors, and the two ends of the scale."""

import math

import pytest
import torch
from torch import Tensor

from kdistill.measures.calibration import calibration_error, reliability


def two_classes(confidence: list[float], right: list[bool]) -> tuple[Tensor, Tensor]:
    """Probabilities whose top-1 answer is class 0 with these confidences, and labels."""
    first = torch.tensor(confidence, dtype=torch.float64)
    return torch.stack([first, 1 - first], dim=1), 1 - torch.tensor(right).long()


def test_bins_hold_mean_confidence_accuracy_and_count() -> None:
    table = reliability(*two_classes([0.55, 0.6, 0.9, 1.0], [True, False, True, True]), bins=4)
    # bins end at 0.25, 0.5, 0.75 and 1
    assert table.count.tolist() == [0, 0, 2, 2]
    assert table.confidence[2:].tolist() == pytest.approx([0.575, 0.95])
    assert table.accuracy[2:].tolist() == [0.5, 1.0]
    assert all(math.isnan(value) for value in table.confidence[:2].tolist())


def test_a_case_on_an_edge_belongs_to_the_bin_below() -> None:
    table = reliability(*two_classes([0.75, 1.0], [True, True]), bins=4)
    assert table.count.tolist() == [0, 0, 1, 1]


def test_error_by_hand() -> None:
    given = two_classes([0.55, 0.6, 0.9, 1.0], [True, False, True, True])
    value, (low, high) = calibration_error(*given, bins=4)
    # two cases with gap |0.5 - 0.575|, two with gap |1 - 0.95|
    assert value == pytest.approx(0.5 * 0.075 + 0.5 * 0.05)
    assert low <= value <= high


def test_certain_and_always_wrong_is_1_certain_and_always_right_is_0() -> None:
    assert calibration_error(*two_classes([1.0] * 5, [False] * 5), bins=15) == (1.0, (1.0, 1.0))
    assert calibration_error(*two_classes([1.0] * 5, [True] * 5), bins=15) == (0.0, (0.0, 0.0))


def test_one_bin_compares_the_two_means() -> None:
    value, _ = calibration_error(*two_classes([0.6, 0.9, 0.9], [True, False, True]), bins=1)
    assert value == pytest.approx(0.8 - 2 / 3)


def test_a_calibrated_model_has_a_small_error_and_overconfidence_shows_in_full() -> None:
    generator = torch.Generator().manual_seed(0)
    confidence = 0.5 + 0.5 * torch.rand(20_000, generator=generator, dtype=torch.float64)
    right = torch.rand(20_000, generator=generator, dtype=torch.float64) < confidence
    calibrated, _ = calibration_error(*two_classes(confidence.tolist(), right.tolist()), bins=15)
    assert calibrated < 0.015
    right = torch.rand(20_000, generator=generator, dtype=torch.float64) < confidence - 0.2
    value, (low, high) = calibration_error(*two_classes(confidence.tolist(), right.tolist()), 15)
    assert low < 0.2 < high
    # its standard error is that of a share: about sqrt(.25 / 20000) = .0035
    assert 0.005 < high - low < 0.03
    assert value == pytest.approx(0.2, abs=0.015)


def test_the_interval_is_the_same_each_time() -> None:
    given = two_classes([0.6, 0.7, 0.9, 0.8], [True, False, True, False])
    torch.manual_seed(1)
    first = calibration_error(*given, bins=15)
    torch.manual_seed(2)
    assert calibration_error(*given, bins=15) == first
