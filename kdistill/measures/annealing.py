"""log Z of an RBM by annealed importance sampling (Neal 2001; Salakhutdinov & Murray 2008)."""

from math import log

import torch
from torch import Tensor
from torch.nn.functional import softplus

from kdistill.measures.importance import ENOUGH, Estimate, importance
from kdistill.models.rbm import RBM, draw_bits


def annealed_importance(
    rbm: RBM,
    chains: int,
    temperatures: int,
    generator: torch.Generator,
    base_bias: Tensor | None = None,
) -> Estimate:
    """log Z with its 3-sigma interval, from `annealed_weights` of `chains` >= 2.

    Each chain is one weight, so 100 chains are never 100 effective samples. Log weights of a long
    run are near normal, though, and for such an interval that rests on a quarter of the chains
    (and on 20) still covers the truth in 97 of 100 cases; below that there is no verdict, and more
    temperatures help where more chains do not.
    """
    log_weights = annealed_weights(rbm, chains, temperatures, generator, base_bias)
    return importance(log_weights, enough=min(ENOUGH, max(20.0, chains / 4)))


@torch.no_grad()
def annealed_weights(
    rbm: RBM,
    chains: int,
    temperatures: int,
    generator: torch.Generator,
    base_bias: Tensor | None = None,
) -> Tensor:
    """Log weights [chains], float64; the mean of their exponentials is Z on average.

    Chains start at independent bits with the log odds `base_bias` [visible] and go through the
    densities (Salakhutdinov & Murray 2008), with one sweep of block Gibbs in each,

        log p_k(x) = ((1 - t) base_bias + t a).x + sum_j softplus(t (b_j + x.W_j)),

    for t = k / temperatures, k from 1 to `temperatures` >= 1. Take the `base_odds` of the training
    data where they are known. Without them the base is 0, the broadest: where it is too far from
    the RBM the weights scatter, and that shows. A base closer to the RBM's own samples leaves modes
    out that its chains do not find, and errs by many nats with weights that agree.
    """
    if temperatures < 1:
        raise ValueError(f"temperatures must be >= 1, got {temperatures}")
    weight, hidden_bias = rbm.weight, rbm.hidden_bias
    base = torch.zeros_like(rbm.visible_bias) if base_bias is None else base_bias.to(weight)
    offset = rbm.visible_bias - base
    log_z = len(hidden_bias) * log(2) + float(softplus(base.cpu().double(), threshold=40).sum())
    state, hidden = weight.new_empty(chains, len(base)), weight.new_empty(chains, len(hidden_bias))
    drive, chance = torch.empty_like(hidden), torch.empty_like(state)
    draw_bits(chance.copy_(base), state, generator)
    log_weights = torch.full((chains,), log_z, dtype=torch.float64)  # on the CPU: not all have it
    for k in range(1, temperatures + 1):
        colder, t = (k - 1) / temperatures, k / temperatures
        torch.addmm(hidden_bias, state, weight, out=drive)
        # subtracted unit by unit: in float32 a difference of the two sums would lose digits
        rise = softplus(t * drive, threshold=40) - softplus(colder * drive, threshold=40)
        log_weights += (rise.sum(dim=1) + (state @ offset) / temperatures).cpu().double()
        draw_bits(drive.mul_(t), hidden, generator)
        torch.addmm(base + t * offset, hidden, weight.T, alpha=t, out=chance)
        draw_bits(chance, state, generator)
    return log_weights


def base_odds(inputs: Tensor) -> Tensor:
    """Log odds [visible] of True at each place of [n, ...], one of each added (Laplace)."""
    ones = inputs.flatten(1).sum(dim=0).cpu().double()
    return torch.log(ones + 1) - torch.log(len(inputs) - ones + 1)
