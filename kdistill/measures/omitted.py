"""Shifts of the logits of classes that a student was never shown, so that it can name them.

A transfer set without a class teaches what inputs of that class look like, since the teacher gives
the class some probability elsewhere, but a bias that is much too low (Hinton, Vinyals & Dean 2015,
section 3, which chose the shift on the test set). Here it is chosen on other data, or by the prior.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

BEYOND = 1.0  # how far past the last critical shift, where the best interval has no other end
EM_STEPS = 10  # enough to leave where the function is flat
CLOSE = 1e-10  # a mean probability so near to its prior is equal to it


def shift_by_labels(logits: Tensor, labels: Tensor, omitted: Sequence[int]) -> float:
    """The shift of all `omitted` classes together that makes the fewest errors, exactly.

    logits: [n, classes] float; labels: [n] int64. The answer to a case changes where the shift
    passes the margin between its best other and its best omitted logit, so the number of errors is
    constant between two such margins: the middle of the best interval is taken; of equally good
    ones the widest, of equally wide ones the nearest to 0.
    """
    edges, errors = _steps(logits.double(), labels, omitted)
    best: tuple[float, float, float] | None = None
    for place in torch.nonzero(errors == errors.min()).flatten().tolist():
        low, high = float(edges[place]), float(edges[place + 1])
        middle = _middle(low, high)
        rank = (low - high, abs(middle), middle)
        best = rank if best is None else min(best, rank)
    assert best is not None  # there is always one interval
    return best[2]


def _steps(logits: Tensor, labels: Tensor, omitted: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Ends of the intervals [k + 1], from -inf to inf, and the change of errors in each [k].

    Relative to the number of errors in the first interval, where no omitted class is ever named.
    """
    chosen = torch.zeros(logits.shape[1], dtype=torch.bool)
    chosen[list(omitted)] = True
    present = logits.masked_fill(chosen, -torch.inf)
    lacking = logits.masked_fill(~chosen, -torch.inf)
    margins = present.max(1).values - lacking.max(1).values
    lost = (present.argmax(1) == labels).long()  # right below the margin, wrong above
    won = (lacking.argmax(1) == labels).long()
    places, which = torch.unique(margins, return_inverse=True)
    changes = torch.zeros(len(places), dtype=torch.int64).index_add(0, which, lost - won)
    real = changes != 0  # no interval ends where as many are won as lost
    ends = torch.tensor([torch.inf], dtype=torch.float64)
    start = torch.zeros(1, dtype=torch.int64)
    return torch.cat([-ends, places[real], ends]), torch.cat([start, changes[real].cumsum(0)])


def _middle(low: float, high: float) -> float:
    if low == -torch.inf and high == torch.inf:
        return 0.0
    if low == -torch.inf:
        return min(high - BEYOND, 0.0)
    return max(low + BEYOND, 0.0) if high == torch.inf else (low + high) / 2


def shifts_by_prior(logits: Tensor, omitted: Sequence[int], prior: Tensor) -> Tensor:
    """A shift for each of `omitted` [m] after which its mean probability is its `prior` [m].

    logits: [n, classes] float, of inputs that need no labels; prior: each > 0, together < 1, else
    ValueError. A few steps of shift += log(prior / mean probability), the EM rule for a prior that
    has changed (Saerens, Latinne & Decaestecker 2002), then L-BFGS on the convex function whose
    minimum is that rule's fixed point: mean logsumexp(logits + shifts) - prior . shifts.
    """
    wanted, columns, logits = prior.double(), list(omitted), logits.double()
    if not bool((prior > 0).all()) or float(prior.sum()) >= 1:
        raise ValueError(f"prior must be > 0 and together < 1, got {prior.tolist()}")
    shifts = torch.zeros(len(columns), dtype=torch.float64)
    for _ in range(EM_STEPS):
        # in logarithms: a class that was never taught may have a probability of exp(-1000)
        log_q = _shifted(logits, columns, shifts).log_softmax(1)[:, columns]
        shifts += wanted.log() - (log_q.logsumexp(0) - math.log(len(logits)))
    shifts.requires_grad_()
    solver = torch.optim.LBFGS(
        [shifts],
        max_iter=500,
        tolerance_grad=CLOSE,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def value() -> Tensor:
        solver.zero_grad()
        potential = _shifted(logits, columns, shifts).logsumexp(1).mean() - wanted @ shifts
        potential.backward()  # type: ignore[no-untyped-call]
        return potential

    solver.step(value)  # type: ignore[no-untyped-call]
    return shifts.detach()


def _shifted(logits: Tensor, columns: list[int], shifts: Tensor) -> Tensor:
    return logits.index_add(1, torch.tensor(columns), shifts.expand(len(logits), -1))
