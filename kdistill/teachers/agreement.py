"""Agreement: the distribution that fits a generalist and the active specialists best.

Hinton, Vinyals & Dean 2015, section 5.4, equation 5: q minimises

    KL(p_g || q) + sum over active specialists m of KL(p_m || q_m)

where q_m keeps q on the classes of m and adds up the others into its dustbin. The gradient with
respect to z, where q = softmax(z), is a sum of q - r over generalist and specialists: r is what
was said, with a dustbin's probability divided among its classes in the proportions of q. At the
minimum q is therefore the mean of the r's; the divergence is convex in q, so there is only one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

ITERATIONS = 20_000  # an end for inputs on which the evidence hardly says how to divide a dustbin
TOLERANCE = 1e-10  # relative to q, between q and mean(q)
TINY = 1e-300  # keeps 0 / 0 from being NaN


@dataclass(frozen=True)
class Evidence:
    """What was said about each input, float64; every probability of `general` is > 0."""

    general: Tensor  # [batch, classes]: the generalist's probabilities
    named: Tensor  # [batch, classes]: the same, plus what active specialists give to their classes
    dustbin: Tensor  # [batch, specialists]: what they give to the others; 0 where not active
    outside: Tensor  # [specialists, classes]: 1 for a class in the dustbin, else 0
    voices: Tensor  # [batch, 1]: 1 + the number of active specialists

    def mean(self, q: Tensor) -> Tensor:
        """The mean of the r's, [batch, classes], for a distribution q of that shape."""
        return (self.named + q * ((self.dustbin / self._left(q)) @ self.outside)) / self.voices

    def divergence(self, q: Tensor) -> Tensor:
        """What is minimised, in nats, up to a constant: [batch]."""
        left = (self.dustbin * self._left(q).log()).sum(dim=1)
        return -(self.named * q.log()).sum(dim=1) - left

    def of(self, rows: Tensor) -> "Evidence":
        """That about some of the inputs."""
        parts = {name: getattr(self, name)[rows] for name in ("general", "named", "dustbin")}
        return replace(self, **parts, voices=self.voices[rows])

    def _left(self, q: Tensor) -> Tensor:
        """The probability of each dustbin's classes, [batch, specialists]."""
        return (q @ self.outside.T).clamp_min(TINY)


def by_em(evidence: Evidence) -> Tensor:
    """q [batch, classes] as the fixed point q = mean(q): expectation maximisation, no step size.

    Two steps are followed by a leap along their curve (SQUAREM; Varadhan & Roland 2008) wherever
    that ends no higher, so the divergence never rises.
    """
    return _solved(evidence, _em_step, (evidence.general,), TOLERANCE)


def by_gradient(evidence: Evidence) -> Tensor:
    """q [batch, classes] by descent on z with the gradient q - mean(q), accelerated.

    Nesterov's momentum, started anew for an input when it points uphill (O'Donoghue & Candes
    2015), each element divided by the curvature there. At the end it is 1e-10 of q at most.
    """
    z = evidence.general.log()
    return _solved(evidence, _gradient_step, (z, z, torch.zeros_like(evidence.voices)), TOLERANCE)


SOLVERS = {"em": by_em, "gradient": by_gradient}

State = tuple[Tensor, ...]  # rows of what a step goes on from
Step = Callable[..., tuple[State, Tensor, Tensor]]  # -> the next state, q, the distance to the end


def _solved(evidence: Evidence, step: Step, state: State, tolerance: float) -> Tensor:
    """Steps until every input is at its end; one that is takes no part in the others' steps."""
    answer, rows = evidence.general.clone(), torch.arange(len(evidence.general))
    rows = rows.to(answer.device)
    for _ in range(ITERATIONS):
        state, q, distance = step(evidence, *state)
        going = distance > tolerance
        if not going.all():
            answer[rows[~going]] = q[~going]
            rows, q, evidence = rows[going], q[going], evidence.of(going)
            state = tuple(each[going] for each in state)
        if len(rows) == 0:
            return answer
    answer[rows] = q
    return answer


def _em_step(evidence: Evidence, q: Tensor) -> tuple[State, Tensor, Tensor]:
    once = evidence.mean(q)
    twice = evidence.mean(once)
    leapt = evidence.mean(_leap(q.log(), once.log(), twice.log()))
    better = evidence.divergence(leapt) <= evidence.divergence(twice)
    distance = ((twice - once).abs() / once).amax(dim=1)
    return (torch.where(better[:, None], leapt, twice),), twice, distance


def _leap(first: Tensor, second: Tensor, third: Tensor) -> Tensor:
    """Where log q, a row an input, would come to if steps went on shrinking as they did."""
    step, bend = second - first, third - 2 * second + first
    length = step.norm(dim=1, keepdim=True) / bend.norm(dim=1, keepdim=True).clamp_min(TINY)
    length = length.clamp(1, 1e4)
    leapt: Tensor = first + 2 * length * step + length.square() * bend
    return leapt.softmax(dim=1).clamp_min(TINY)


def _gradient_step(
    evidence: Evidence, z: Tensor, ahead: Tensor, age: Tensor
) -> tuple[State, Tensor, Tensor]:
    q = ahead.softmax(dim=1)
    mean = evidence.mean(q)
    gradient = q - mean
    scaled = gradient / torch.maximum(q, mean)  # no curvature is larger than q
    moved = ahead - scaled
    uphill = (gradient * (moved - z)).sum(dim=1, keepdim=True) > 0
    age = torch.where(uphill, 0, age + 1)
    state = moved, moved + age / (age + 3) * (moved - z), age
    return state, q, scaled.abs().amax(dim=1)
