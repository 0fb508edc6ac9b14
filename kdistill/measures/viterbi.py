"""Viterbi: the best path through left-to-right models of words, and the word it goes through."""

import torch
from torch import Tensor


def best_paths(scores: Tensor, lengths: Tensor) -> Tensor:
    """Log-score of the best path through each model over each recording, [recordings, models].

    scores: [recordings, frames, models, states], logarithms, of which `lengths` [recordings] frames
    count. A path begins in a model's first state, ends in its last, and at each frame stays or goes
    on to the next, both for nothing; so each state has a frame at least, and where there are fewer
    frames than states no path is left: -inf.
    """
    alive = scores[:, 0].clone()
    alive[..., 1:] = -torch.inf
    ended = torch.full_like(alive[..., -1], -torch.inf)
    for frame in range(scores.shape[1]):
        if frame:
            entered = torch.nn.functional.pad(alive[..., :-1], (1, 0), value=-torch.inf)
            alive = torch.maximum(alive, entered) + scores[:, frame]
        ended = torch.where((lengths == frame + 1)[:, None], alive[..., -1], ended)
    return ended


def by_recording(frames: Tensor, group: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(padded, lengths, first): the rows of `frames` [n, ...] as [recordings, longest, ...].

    group: [n] int64, the recording of each row; rows of one stay in their order, and the recordings
    are in that of their numbers. first: [recordings], the row where each begins.
    """
    order = group.argsort(stable=True)
    counts = group.bincount()
    lengths = counts[counts > 0]
    begins = lengths.cumsum(0) - lengths
    which = torch.arange(len(lengths)).repeat_interleave(lengths)
    padded = frames.new_zeros(len(lengths), int(lengths.max()), *frames.shape[1:])
    padded[which, torch.arange(len(order)) - begins[which]] = frames[order]
    return padded, lengths, order[begins]
