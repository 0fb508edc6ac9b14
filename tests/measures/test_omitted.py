"""The shift for omitted classes: the fewest errors by brute force; the prior to the last digit."""

import pytest
import torch

from kdistill.measures.omitted import BEYOND, shift_by_labels, shifts_by_prior


def errors(logits: torch.Tensor, labels: torch.Tensor, omitted: list[int], shift: float) -> int:
    shifted = logits.double().clone()
    shifted[:, omitted] += shift
    return int((shifted.argmax(1) != labels).sum())


@pytest.mark.parametrize("omitted", [[3], [0, 1, 2, 4], [2, 4]])
@pytest.mark.parametrize("seed", range(5))
def test_no_shift_makes_fewer_errors(omitted: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(5, (60,), generator=generator)
    logits = torch.randn(60, 5, generator=generator) + 2 * torch.eye(5)[labels]
    logits[:, omitted] -= 3.7
    found = shift_by_labels(logits, labels, omitted)
    tried = torch.linspace(-12, 12, 6001).tolist()
    fewest = min(errors(logits, labels, omitted, shift) for shift in tried)
    assert errors(logits, labels, omitted, found) == fewest
    assert errors(logits, labels, omitted, 0.0) > fewest


def two(margins: list[float], labels: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Cases of two classes, of which the second is named once the shift passes the margin."""
    logits = torch.stack([torch.tensor(margins), torch.zeros(len(margins))], dim=1)
    return logits, torch.tensor(labels)


def test_the_middle_between_the_last_won_and_the_first_lost() -> None:
    assert shift_by_labels(*two([1.0, 2.0, 5.0, 6.0], [1, 1, 0, 0]), [1]) == 3.5


def test_of_equally_good_intervals_the_widest() -> None:
    # one error between 1 and 1.5, and between 3 and 8; two between 1.5 and 3
    assert shift_by_labels(*two([1.0, 1.5, 3.0, 8.0], [1, 0, 1, 0]), [1]) == 5.5


def test_a_case_that_is_wrong_either_way_ends_no_interval() -> None:
    logits, labels = two([1.0, 5.0, 3.0], [1, 0, 2])
    assert shift_by_labels(torch.cat([logits, torch.full((3, 1), -9.0)], 1), labels, [1]) == 3.0


def test_an_interval_without_an_end_is_entered_a_little() -> None:
    assert shift_by_labels(*two([1.0, 2.0], [1, 1]), [1]) == 2 + BEYOND
    assert shift_by_labels(*two([1.0, 2.0], [0, 0]), [1]) == 0.0  # below 1 - BEYOND is no need
    assert shift_by_labels(*two([-4.0, -2.0], [0, 0]), [1]) == -4 - BEYOND
    assert shift_by_labels(*two([1.0, 1.0], [0, 1]), [1]) == 0.0  # one for one: nothing changes


@pytest.mark.parametrize("omitted", [[3], [0, 1, 2, 4]])
def test_the_mean_probability_becomes_the_prior(omitted: list[int]) -> None:
    logits = 3 * torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
    logits[:, omitted] -= 8.0
    before = logits.clone()
    prior = torch.linspace(0.1, 0.2, len(omitted))
    shifts = shifts_by_prior(logits, omitted, prior)
    shifted = logits.double().clone()
    shifted[:, omitted] += shifts
    assert shifted.softmax(1).mean(0)[omitted].tolist() == pytest.approx(prior.tolist(), rel=1e-7)
    assert torch.equal(logits, before)


def test_a_class_that_was_never_probable_is_found_too() -> None:
    """exp(-2000) is 0 in every floating point format."""
    logits = torch.tensor([[0.0, -2000.0], [0.0, -2000.0]])
    assert shifts_by_prior(logits, [1], torch.tensor([0.5])).item() == pytest.approx(2000)


@pytest.mark.parametrize("prior", [[0.0, 0.5], [0.5, 0.5]])
def test_an_impossible_prior_is_refused(prior: list[float]) -> None:
    with pytest.raises(ValueError, match="prior must be > 0 and together < 1"):
        shifts_by_prior(torch.zeros(4, 3), [0, 1], torch.tensor(prior))
