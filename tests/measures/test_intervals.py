"""Intervals: published values, what they must contain, and how often they cover the truth."""

import pytest
import torch

from kdistill.measures.intervals import normal, wilson


def test_wilson_agrees_with_scipy() -> None:
    from scipy.stats import binomtest

    for successes, n in [(0, 10), (1, 10), (5, 10), (10, 10), (146, 10_000)]:
        expected = binomtest(successes, n).proportion_ci(method="wilson")
        assert wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_holds_the_share_and_stays_inside_0_and_1() -> None:
    for n in (1, 7, 1000):
        for successes in range(n + 1):
            low, high = wilson(successes, n)
            assert 0 <= low <= successes / n <= high <= 1
            assert low < high


def test_normal_is_the_mean_and_1_96_standard_errors() -> None:
    # deviation of 1, 2, 3 is 1, so the standard error is 1 / sqrt(3)
    assert normal(torch.tensor([1.0, 2.0, 3.0])) == pytest.approx((0.8684, 3.1316), abs=1e-4)
    assert normal(torch.tensor([1.0])) is None


def test_normal_covers_the_true_mean_19_times_in_20() -> None:
    drawn = torch.randn(2000, 50, generator=torch.Generator().manual_seed(0))
    intervals = [normal(row) for row in drawn]
    covered = sum(low <= 0 <= high for low, high in filter(None, intervals))
    assert 0.92 < covered / 2000 < 0.96
