"""McNemar's test, the paired t-test and the closed gap, by hand."""

import pytest
import torch
from scipy import stats

from kdistill.artifacts.result import Measure
from kdistill.measures.significance import closed_gap, holm, mcnemar, paired_t


def test_mcnemar_is_a_two_sided_coin_test_on_the_cases_that_differ() -> None:
    first = torch.tensor([True] * 6 + [True] * 50 + [False] * 3)
    second = torch.tensor([False] * 6 + [True] * 50 + [False] * 3)
    # six of six for the first: 2 * (1/2)^6, whatever the cases where both are right or wrong
    assert mcnemar(first, second) == pytest.approx(2 / 64)
    assert mcnemar(second, first) == pytest.approx(2 / 64)


def test_mcnemar_weighs_wins_against_losses() -> None:
    first, second = torch.zeros(10).bool(), torch.zeros(10).bool()
    first[:9], second[9:] = True, True
    # nine of ten: 2 * (1 + 10) / 2^10
    assert mcnemar(first, second) == pytest.approx(22 / 1024)


def test_mcnemar_of_models_that_never_differ_is_1() -> None:
    right = torch.tensor([True, False, True])
    assert mcnemar(right, right) == 1.0


def errors(value: float) -> Measure:
    return Measure(value, 10_000, None, "count", "lower")


def accuracy(value: float) -> Measure:
    return Measure(value, 10_000, None, "fraction", "higher")


def test_closed_gap_of_hintons_mnist_run() -> None:
    assert closed_gap(errors(146), errors(74), errors(67)) == pytest.approx(72 / 79)


def test_closed_gap_knows_which_way_is_better() -> None:
    assert closed_gap(accuracy(0.90), accuracy(0.94), accuracy(0.95)) == pytest.approx(0.8)
    assert closed_gap(errors(100), errors(120), errors(60)) == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("baseline", "teacher"),
    [(errors(60), errors(60)), (errors(60), errors(70)), (accuracy(0.9), accuracy(0.8))],
)
def test_there_is_no_gap_below_a_teacher_that_is_not_better(
    baseline: Measure, teacher: Measure
) -> None:
    assert closed_gap(baseline, baseline, teacher) is None


def test_paired_t_is_students_formula_on_the_differences() -> None:
    # differences 1, 2, 3: t = 2 / (1 / sqrt(3)) = 3.4641 with 2 degrees of freedom, for which
    # p = 1 - t / sqrt(t^2 + 2)
    p = paired_t([5, 9, 4], [4, 7, 1])
    assert p == pytest.approx(1 - 12**0.5 / 14**0.5)
    assert p == paired_t([4, 7, 1], [5, 9, 4])


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        ([], [], None),
        ([1.0], [2.0], None),
        ([1.0], [1.0], None),
        ([3, 5], [3, 5], 1.0),
        ([3, 5], [1, 3], None),  # the same difference twice: no spread to judge it by
    ],
)
def test_paired_t_says_nothing_where_there_is_nothing_to_test_by(
    first: list[float], second: list[float], p: float | None
) -> None:
    assert paired_t(first, second) == p


@pytest.mark.parametrize(("first", "second"), [(0, 1), (3, 3), (5, 12), (40, 61), (0, 9)])
def test_mcnemar_is_the_binomial_test_of_scipy(first: int, second: int) -> None:
    right = torch.tensor([True] * first + [False] * second)
    expected = stats.binomtest(first, first + second).pvalue
    assert mcnemar(right, ~right) == pytest.approx(expected, rel=1e-12)


def test_paired_t_is_that_of_scipy() -> None:
    first, second = [1.0, 2.5, 3.0, 7.25], [0.5, 2.0, 3.5, 5.0]
    expected = stats.ttest_rel(first, second).pvalue
    assert paired_t(first, second) == pytest.approx(expected, rel=1e-12)


def test_holms_correction_against_figures_worked_out_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
