"""Estimate, and log Z of an unnormalised density by importance sampling."""

from dataclasses import dataclass
from math import log, sqrt

from torch import Tensor

SIGMAS = 3.0
BEYOND = 0.0027  # the chance that a normal value is further than 3 sigma from its mean
ENOUGH = 100.0  # effective samples below which an estimate is no verdict


@dataclass(frozen=True)
class Estimate:
    """log Z in nats, and where it lies with 3-sigma confidence; None: there is no such bound."""

    value: float
    low: float | None
    high: float | None
    effective_samples: float
    warning: str | None  # why the figure is not to be trusted, one sentence

    @property
    def bounded(self) -> bool:
        """Whether it has a bound on either side, without which it is no verdict."""
        return self.low is not None and self.high is not None


def importance(log_weights: Tensor, enough: float = ENOUGH) -> Estimate:
    """log Z = log mean exp of log_weights [n >= 2] = log p~(x) - log q(x) at x ~ q.

    The interval is the delta method's: 3 standard errors of the mean weight over that mean, to
    either side of log Z, in float64. The effective sample size is (sum w)^2 / sum w^2 (Kong 1992).
    Below `enough` of it the sample variance, which rests on the few largest weights, says nothing:
    then there is a warning and no upper bound. The lower one holds whatever the variance, by
    Markov's inequality: the mean of weights that are right on average exceeds Z / 0.0027 with a
    chance of at most 0.0027. ValueError for weights that are not finite.
    """
    count = len(log_weights)
    if count < 2:
        raise ValueError(f"log_weights must be two or more, got {count}")
    log_weights = log_weights.double()
    if not log_weights.isfinite().all():
        raise ValueError("log_weights must be finite, some are infinite or NaN")
    value = float(log_weights.logsumexp(dim=0)) - log(count)
    weights = (log_weights - log_weights.max()).exp()
    effective = float(weights.sum() ** 2 / weights.square().sum())
    if effective < enough:
        told = (
            f"the effective sample size is {effective:.1f} of {count} (below {enough:g}): "
            "a few samples carry the estimate, log Z may lie far above it"
        )
        return Estimate(value, value + log(BEYOND), None, effective, told)
    half = SIGMAS * float(weights.std() / weights.mean()) / sqrt(count)
    return Estimate(value, value - half, value + half, effective, None)
