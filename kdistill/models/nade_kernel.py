"""What NADE computes, without going through its D hidden layers one by one.

Of an example x, visited from d = 0 to D - 1, with act a logistic or rectified unit:

    logit_d = U_d . h_d        h_d = act(c + sum_{k<d} x_k W_k)

h_d only changes after an input that is not 0, and binary images are mostly 0. So hidden layers are
computed once per state: a run of positions of one example with the same h_d. Positions are taken
BLOCK at a time: the states of a block, of the whole batch, are then a few products of small
matrices that stay in cache. Any real x is right, and costs the more the fewer of its numbers are 0.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 16  # more: fewer calls, but a state's logits are computed for the whole block
ACTIVATIONS = {"logistic": torch.sigmoid, "relu": torch.relu}


class States(NamedTuple):
    """The states of a batch, one entry per block.

    A block's first states, as many as examples, are those at its first position; the others begin
    after an input that is not 0.
    """

    inputs: tuple[Tensor, ...]  # [batch, BLOCK]
    example: tuple[Tensor, ...]  # [others]: whose state it is
    before: tuple[Tensor, ...]  # [others, BLOCK]: its example's inputs up to it, then 0
    at: Tensor  # [blocks, batch, BLOCK]: the state of each position, counted over all blocks


def states_of(x: Tensor) -> States:
    """x [batch, D], D a multiple of BLOCK."""
    inputs = x.view(len(x), -1, BLOCK).transpose(0, 1)
    later = (inputs[..., :-1] != 0).transpose(1, 2)  # whether a state begins at positions 1, 2 ...
    block, place, example = later.nonzero(as_tuple=True)
    before = inputs[block, example] * (torch.arange(BLOCK, device=x.device) <= place[:, None])
    begins = F.pad(later, (0, 0, 1, 0), value=True)  # [blocks, BLOCK, batch]
    state = begins.flatten().cumsum(0).sub_(1).view_as(begins)
    at = state.mul_(begins).cummax(dim=1).values.transpose(1, 2)
    sizes: list[int] = later.flatten(1).sum(dim=1).tolist()
    split = example.split_with_sizes(sizes), before.split_with_sizes(sizes)
    return States(inputs.unbind(), *split, at)


def logits(x: Tensor, W: Tensor, c: Tensor, U: Tensor, units: str) -> Tensor:
    """U_d . h_d [batch, D] of x [batch, D]; W, U [D, hidden], c [hidden].

    Differentiable once, by W, c and U.
    """
    whole = _in_blocks(x, W, c, U)
    said: Tensor = _Logits.apply(*whole, units, torch.is_grad_enabled())
    return said[:, : len(W)]


class _Logits(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, W: Tensor, c: Tensor, U: Tensor, units: str, keep: bool
    ) -> Tensor:
        states, act = states_of(x), ACTIVATIONS[units]
        batch, drive = len(x), c.repeat(len(x), 1)  # [batch, hidden], at the block's first position
        scratch = drive.new_empty(batch + max(map(len, states.example)), len(c))
        kept, said = [], []
        for inputs, example, before, w, u in zip(*states[:3], W, U, strict=True):
            drives = scratch[: batch + len(example)]
            drives[:batch] = drive
            torch.index_select(drive, 0, example, out=drives[batch:]).addmm_(before, w)
            hidden = act(drives)
            said.append(hidden @ u.T)
            drive.addmm_(inputs, w)
            if keep:  # to compute them again takes longer than to fetch them from memory
                kept.append(hidden)
        ctx.states, ctx.units = states, units
        ctx.save_for_backward(W, U, *kept)
        return _of_positions(torch.cat(said), states.at)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        W, U, *kept = ctx.saved_tensors
        states, batch, sizes = ctx.states, len(gradient), [len(hidden) for hidden in kept]
        of_said = _of_states(gradient, states.at, sum(sizes)).split_with_sizes(sizes)
        of_W, of_U = torch.empty_like(W), torch.empty_like(U)
        of_drive = gradient.new_zeros(batch, W.shape[-1])  # from all later blocks
        scratch = gradient.new_empty(max(sizes), W.shape[-1])
        blocks = list(zip(*states[:3], kept, U, of_said, of_W, of_U, strict=True))
        for inputs, example, before, hidden, u, of_logits, of_w, of_u in reversed(blocks):
            torch.mm(of_logits.T, hidden, out=of_u)
            of_hidden = torch.mm(of_logits, u, out=scratch[: len(hidden)])
            _times_slope_(of_hidden, hidden, ctx.units)
            torch.mm(inputs.T, of_drive, out=of_w).addmm_(before.T, of_hidden[batch:])
            of_drive.add_(of_hidden[:batch]).index_add_(0, example, of_hidden[batch:])
        return None, of_W, of_drive.sum(dim=0), of_U, None, None


def logits_and_slopes(
    x: Tensor, W: Tensor, c: Tensor, U: Tensor, b: Tensor, units: str
) -> tuple[Tensor, Tensor]:
    """b_d + U_d . h_d, and d log q / dx, both [batch, D], differentiable by W, c, U and b.

    In closed form, for autograd to go through, with r = x - sigmoid(logit):
    d log q / dx_j = logit_j + W_j . sum_{d>j} r_d act'_d U_d. Where j and d are in one block it is
    r_d times act'_d . (W_j U_d), for all pairs j < d, so that act' is looked at once per state.
    """
    size, batch = len(W), len(x)
    x, W, c, U = _in_blocks(x, W, c, U)
    states, act, drive = states_of(x), ACTIVATIONS[units], c.expand(batch, -1)
    hiddens, said = [], []
    for inputs, example, before, w, u in zip(*states[:3], W, U, strict=True):
        others = torch.addmm(drive.index_select(0, example), before, w)
        hiddens.append(act(torch.cat([drive, others])))
        said.append(hiddens[-1] @ u.T)
        drive = torch.addmm(drive, inputs, w)
    logit = _of_positions(torch.cat(said), states.at) + F.pad(b, (0, x.shape[1] - size))
    surprise = (x - logit.sigmoid()).view(batch, -1, BLOCK).unbind(1)
    first, second = torch.triu_indices(BLOCK, BLOCK, 1, device=x.device)  # of each pair
    later, slopes = torch.zeros_like(drive), []  # the sum over all later blocks
    blocks = list(zip(states.example, states.at, hiddens, surprise, W, U, strict=True))
    for example, at, hidden, r, w, u in reversed(blocks):
        at = at - at[0, 0]  # counted in this block
        slope = hidden * (1 - hidden) if units == "logistic" else (hidden > 0).to(hidden)
        pairs = slope @ (w.index_select(0, first) * u.index_select(0, second)).T
        inside = r[:, second] * pairs.gather(0, at[:, second])  # [batch, pairs]
        slopes.append((later @ w.T).index_add(1, first, inside))
        of_drive = (r.new_zeros(len(hidden), BLOCK).scatter(0, at, r) @ u) * slope
        later = (later + of_drive[:batch]).index_add(0, example, of_drive[batch:])
    return logit[:, :size], (logit + torch.cat(slopes[::-1], dim=1))[:, :size]


def _times_slope_(gradient: Tensor, hidden: Tensor, units: str) -> None:
    """By act', known from the value of act, in place."""
    if units == "logistic":
        torch.ops.aten.sigmoid_backward.grad_input(gradient, hidden, grad_input=gradient)
    else:
        torch.ops.aten.threshold_backward.grad_input(gradient, hidden, 0, grad_input=gradient)


def _in_blocks(x: Tensor, W: Tensor, c: Tensor, U: Tensor) -> tuple[Tensor, ...]:
    """x [batch, D'], W and U [blocks, BLOCK, hidden]: positions are added that change nothing."""
    if missing := -len(W) % BLOCK:
        x, W, U = F.pad(x, (0, missing)), *(F.pad(each, (0, 0, 0, missing)) for each in (W, U))
    return x, W.view(-1, BLOCK, len(c)), c, U.view(-1, BLOCK, len(c))


def _of_positions(said: Tensor, at: Tensor) -> Tensor:
    """[batch, D'] from what each state, of all blocks, says about all positions of its block."""
    return said.gather(0, at.flatten(0, 1)).view_as(at).transpose(0, 1).flatten(1)


def _of_states(gradient: Tensor, at: Tensor, states: int) -> Tensor:
    """The way back: [states, BLOCK], 0 at positions that are not the state's."""
    by_block = gradient.view(len(gradient), -1, BLOCK).transpose(0, 1)
    return gradient.new_zeros(states, BLOCK).scatter_(0, at.flatten(0, 1), by_block.flatten(0, 1))
