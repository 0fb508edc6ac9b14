"""Viterbi: against every path of small cases, and recordings put together from their frames."""

from itertools import combinations

import pytest
import torch
from torch import Tensor

from kdistill.measures.viterbi import best_paths, by_recording


def every_path(scores: Tensor) -> float:
    """The best of all paths through [frames, states], by choosing where each next state begins."""
    frames, states = scores.shape
    best = -float("inf")
    for begins in combinations(range(1, frames), states - 1):
        edges = [0, *begins, frames]
        parts = [scores[edges[s] : edges[s + 1], s].sum() for s in range(states)]
        best = max(best, float(torch.stack(parts).sum()))
    return best


@pytest.mark.parametrize("states", [1, 2, 3, 4])
def test_no_path_is_better(states: int) -> None:
    generator = torch.Generator().manual_seed(states)
    lengths = torch.tensor([7, 2, 4, 3, 1, 5])
    scores = torch.randn(6, 7, 2, states, generator=generator, dtype=torch.float64)
    found = best_paths(scores, lengths)
    for place, length in enumerate(lengths.tolist()):
        for model in range(2):
            expected = every_path(scores[place, :length, model])
            assert float(found[place, model]) == pytest.approx(expected)


def test_fewer_frames_than_states_leave_no_path() -> None:
    found = best_paths(torch.zeros(2, 3, 1, 3), torch.tensor([2, 3]))
    assert found.tolist() == [[-torch.inf], [0.0]]


def test_what_lies_beyond_a_recording_does_not_count() -> None:
    scores = torch.randn(1, 9, 3, 2, generator=torch.Generator().manual_seed(0))
    other = scores.clone()
    other[:, 5:] = 1e6
    lengths = torch.tensor([5])
    assert torch.equal(best_paths(scores, lengths), best_paths(other, lengths))


def test_frames_come_together_by_recording_in_their_order() -> None:
    group = torch.tensor([9, 4, 9, 9, 4, 7])
    frames = torch.arange(6.0)[:, None]
    padded, lengths, first = by_recording(frames, group)
    assert lengths.tolist() == [2, 1, 3]
    assert first.tolist() == [1, 5, 0]
    assert padded[..., 0].tolist() == [[1, 4, 0], [5, 0, 0], [0, 2, 3]]
