"""Whether Markov chains mix: split R-hat of what they tell (Gelman & Rubin 1992)."""

import torch
from torch import Tensor

ALARM = 1.1  # Gelman et al., "Bayesian Data Analysis", section 11.4


def split_r_hat(traces: Tensor) -> float:
    """R-hat of traces [records >= 4, chains >= 2], each chain cut into halves that count as chains.

    1 where all halves vary alike around one mean; more where chains stay where they started (the
    means differ between chains) or still move away from there (between the halves of one).
    """
    if traces.dim() != 2 or len(traces) < 4 or traces.shape[1] < 2:
        raise ValueError(f"traces must be [4 or more, 2 or more], got {list(traces.shape)}")
    length = len(traces) // 2
    halves = torch.cat([traces[:length], traces[-length:]], dim=1).double()
    within, between = float(halves.var(dim=0).mean()), float(halves.mean(dim=0).var())
    if within == 0:  # nothing moves: either all says the same, or the chains are frozen
        return 1.0 if between == 0 else float("inf")
    return float(((length - 1) / length + between / within) ** 0.5)


def mixing(traces: Tensor) -> str | None:
    """A warning where chains do not mix, by `split_r_hat` of log p~ [records, chains] above 1.1.

    Record over the whole run that is judged, burn-in left out, thinned as you like. Blind to modes
    that log p~ does not tell apart: chains that stay in either of two equal ones pass.
    """
    r_hat = split_r_hat(traces)
    if r_hat <= ALARM:
        return None
    return (
        f"the Gibbs chains do not mix: split R-hat of log p~ is {r_hat:.3g} (above {ALARM}); "
        "their samples still depend on where they started, run them longer"
    )
