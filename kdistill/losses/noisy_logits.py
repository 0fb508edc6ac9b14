"""Logit regression on noisy logits (Sau & Balasubramanian 2016, equations 1 to 3).

    total = 1/2 * sum_i (z_i - (1 + xi_i) v_i)^2    with xi ~ N(0, sigma^2) for the samples chosen

Each sample is chosen with chance alpha, anew each epoch; the others keep v. In expectation this is
the clean loss plus alpha sigma^2 |v|^2 / 2, which no weight can change: the noise is in the
gradient alone. It is drawn from the sample's key, so the teacher's stored answers stay clean.
"""

import torch
from torch import Tensor

from kdistill.data.batch import Batch
from kdistill.data.randomness import normal, purpose_of, uniform
from kdistill.losses.loss import Loss, averaged, logits_of, number
from kdistill.signals.signals import Signals

SIDES = ("teacher", "student")
DRAWS = ("sample", "minibatch")
LEAST_SIGMA = 0.01  # of those drawn anew each minibatch (section 5.2)
NOISE, CHOSEN, SIGMA = (purpose_of(f"noisy_logits {name}") for name in ("xi", "chosen", "sigma"))


class NoisyLogits(Loss):
    """sigma >= 0, the noise's standard deviation; alpha in [0, 1].

    side: teacher | student, whose logits are perturbed (the paper's control); draw: sample |
    minibatch, which shares one xi (the paper's text and its algorithm box differ); random_sigma:
    each minibatch draws its own from U[0.01, sigma], which must then be above 0.01. Of several
    processes each draws for its own part of a minibatch.
    """

    sigma: Tensor
    alpha: Tensor

    def __init__(
        self,
        sigma: float = 0.6,
        alpha: float = 0.5,
        side: str = "teacher",
        draw: str = "sample",
        random_sigma: bool = False,
    ) -> None:
        super().__init__()
        if alpha > 1:
            raise ValueError(f"alpha must be <= 1, got {alpha:g}")
        if side not in SIDES:
            raise ValueError(f"side must be teacher or student, got {side}")
        if draw not in DRAWS:
            raise ValueError(f"draw must be sample or minibatch, got {draw}")
        if random_sigma and not sigma > LEAST_SIGMA:
            raise ValueError(f"sigma must be > {LEAST_SIGMA} with random_sigma, got {sigma:g}")
        self.register_buffer("sigma", number("sigma", sigma, 0))
        self.register_buffer("alpha", number("alpha", alpha, 0))
        self.side, self.draw, self.random_sigma = side, draw, random_sigma
        self._quiet = alpha == 0 or sigma == 0

    @property
    def laws(self) -> frozenset[str]:  # type: ignore[override]
        """Those of logit regression that survive the noise."""
        always = {"continuity", "temperature_squared"}
        return frozenset(always | {"zero_at_equality", "class_count"} if self._quiet else always)

    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> dict[str, Tensor]:
        z, v = logits_of(student), logits_of(teacher)
        if self.side == "teacher":
            v = self.noisy(v, batch)
        else:
            z = self.noisy(z, batch)
        return {"total": 0.5 * averaged((z - v).square().sum(dim=-1), batch)}

    def noisy(self, logits: Tensor, batch: Batch) -> Tensor:
        """(1 + xi) * logits [batch, *positions, classes] of the samples chosen; the others bit for
        bit."""
        if batch.key is None:
            raise TypeError("noise is drawn from the samples' keys, and the batch has none")
        first = batch.key[:1]  # speaks for the minibatch
        sigma = self.sigma
        if self.random_sigma:
            share = uniform(first, 1, SIGMA).to(sigma)
            sigma = LEAST_SIGMA + (sigma - LEAST_SIGMA) * share
        key = first if self.draw == "minibatch" else batch.key
        xi = normal(key, logits[0].numel(), NOISE).view(-1, *logits.shape[1:])
        chosen = (uniform(batch.key, 1, CHOSEN) < self.alpha).view(-1, *[1] * (logits.dim() - 1))
        return torch.where(chosen, logits * (1 + sigma * xi.to(logits)), logits)
