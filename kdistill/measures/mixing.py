"""Whether Markov chains mix: split R-hat of what they tell (Gelman & Rubin 1992)."""

import torch
from torch import Tensor

from kdistill.models.abilities import Chain

ALARM = 1.1  # Gelman et al., "Bayesian Data Analysis", section 11.4
RECORDS, WATCHED = 100, 200  # of a run, and chains: 63 MB of 784 bits


def watched_chains(
    model: Chain, inputs: Tensor, generator: torch.Generator, sweeps: int
) -> tuple[Tensor, Tensor]:
    """What `gibbs` makes of `inputs` [chains, *input] in `sweeps` >= 8, and states of the first
    200 chains on the way [records, chains, *input], over the second half of the run."""
    records = min(sweeps // 2, RECORDS)
    step = sweeps // 2 // max(records, 1)
    state, states = model.gibbs(inputs, generator, sweeps - records * step), []
    for _ in range(records):
        state = model.gibbs(state, generator, step)
        states.append(state[:WATCHED].cpu())
    return state, torch.stack(states)


def mixing(*traces: Tensor) -> str | None:
    """A warning where `split_r_hat` of one of the `traces` [records, chains, ...] tops 1.1."""
    worst = max(split_r_hat(trace) for trace in traces)
    if worst <= ALARM:
        return None
    return (
        f"the Gibbs chains do not mix: split R-hat reaches {worst:.4g} (above {ALARM}), their "
        "samples still depend on where they started; run them longer, or do not trust them"
    )


def split_r_hat(traces: Tensor) -> float:
    """R-hat of traces [records >= 4, chains >= 2, ...]; halves of a chain count as chains.

    1 where all halves vary alike around one mean; more where chains stay where they started (the
    means differ between chains) or still move away from there (between the halves of one). Where a
    record is of several numbers, variances are their sums: a bit that is rarely 1 weighs little.
    """
    if traces.dim() < 2 or len(traces) < 4 or traces.shape[1] < 2:
        raise ValueError(f"traces must be [4 or more, 2 or more, ...], got {list(traces.shape)}")
    length = len(traces) // 2
    halves = torch.cat([traces[:length], traces[-length:]], dim=1)
    within, between = halves.var(dim=0).mean(dim=0), halves.mean(dim=0).var(dim=0)
    if not between.any():
        return 1.0
    # nothing within and something between: frozen, each chain in its own place
    return float(((length - 1) / length + between.double().sum() / within.double().sum()).sqrt())
