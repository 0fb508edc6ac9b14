"""Counted randomness: exact words, no dependence on the batch, and the right distributions."""

import math

import pytest
import torch

from kdistill.data.randomness import normal, purpose_of, sample_keys, uniform

N = 20_000
INDEX = torch.arange(N)


def _splitmix(word: int) -> int:
    """The finaliser in Python's unbounded integers."""
    word %= 2**64
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) % 2**64
    return word ^ (word >> 31)


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


@pytest.mark.parametrize(("seed", "epoch", "view"), [(0, 0, 0), (7, 3, 1), (-1, 10**6, 2**40)])
def test_keys_are_splitmix64_words(seed: int, epoch: int, view: int) -> None:
    root = _splitmix(_splitmix(_splitmix(seed) + epoch) + view)
    gamma = 0x9E3779B97F4A7C15
    expected = [_signed(_splitmix(root + (index + 1) * gamma)) for index in range(5)]
    assert sample_keys(seed, epoch, INDEX[:5], view).tolist() == expected


def test_uniform_is_the_top_24_bits_of_a_word() -> None:
    key = 123456789
    words = [_splitmix(_splitmix(key) + (5 * 2**32 + i) * 0x9E3779B97F4A7C15) for i in (1, 2, 3)]
    expected = [(word >> 40) / 2**24 for word in words]
    assert uniform(torch.tensor([key]), 3, 5)[0].tolist() == expected


def test_a_sample_draws_the_same_alone_and_in_any_batch() -> None:
    rows = torch.randperm(N, generator=torch.Generator().manual_seed(0))
    keys = sample_keys(3, 1, INDEX)
    assert torch.equal(sample_keys(3, 1, INDEX[rows]), keys[rows])
    assert torch.equal(uniform(keys[rows], 3, 7), uniform(keys, 3, 7)[rows])
    alone = torch.cat([normal(keys[i : i + 1], 5, 7) for i in range(20)])
    assert torch.equal(alone, normal(keys[:20], 5, 7))


def test_drawing_more_keeps_the_first_uniforms() -> None:
    keys = sample_keys(3, 1, INDEX[:10])
    assert torch.equal(uniform(keys, 8, 7)[:, :3], uniform(keys, 3, 7))


def test_uniform_has_the_moments_and_quantiles_of_a_uniform() -> None:
    draws = uniform(sample_keys(0, 0, INDEX), 4, 1).double()
    assert draws.min() >= 0
    assert draws.max() < 1
    error = 4 / math.sqrt(N)  # four standard errors of a unit deviation
    assert (draws.mean(0) - 0.5).abs().max() < error * math.sqrt(1 / 12)
    assert (draws.var(0) - 1 / 12).abs().max() < error * math.sqrt(1 / 180)
    counts = torch.histc(draws.flatten(), bins=100, min=0, max=1)
    expected = 4 * N / 100
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert 50 < chi_square < 160  # 99 degrees of freedom


def test_normal_has_the_moments_of_a_normal() -> None:
    draws = normal(sample_keys(0, 0, INDEX), 3, 1).double()
    assert draws.shape == (N, 3)
    assert draws.mean(0).abs().max() < 4 / math.sqrt(N)
    assert (draws.var(0) - 1).abs().max() < 4 * math.sqrt(2 / N)
    assert ((draws**4).mean(0) - 3).abs().max() < 4 * math.sqrt(96 / N)
    assert abs((draws.abs() < 1.959964).double().mean().item() - 0.95) < 0.005


@pytest.mark.parametrize("draw", [uniform, normal])
def test_other_seeds_epochs_views_and_purposes_are_unrelated(draw) -> None:  # type: ignore[no-untyped-def]
    columns = [
        draw(sample_keys(0, 0, INDEX), 2, 1),
        draw(sample_keys(0, 0, INDEX), 1, 2),
        draw(sample_keys(0, 1, INDEX), 1, 1),
        draw(sample_keys(1, 0, INDEX), 1, 1),
        draw(sample_keys(0, 0, INDEX, view=1), 1, 1),
        draw(sample_keys(0, 0, INDEX + 1), 1, 1),
    ]
    correlation = torch.corrcoef(torch.cat(columns, dim=1).T)
    off_diagonal = correlation - torch.eye(len(correlation))
    assert off_diagonal.abs().max() < 4.5 / math.sqrt(N)


def test_purposes_are_named() -> None:
    assert purpose_of("shift") != purpose_of("crop")
    assert 0 <= purpose_of("shift") < 2**32
