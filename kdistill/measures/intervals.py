"""95 % intervals: Wilson's for a share of cases, the normal one for a mean."""

from math import sqrt

from torch import Tensor

Z = 1.959963984540054  # the normal distribution's 97.5 % point


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Wilson's score interval of `successes` / `n`, n >= 1; inside [0, 1] and around the share."""
    share = successes / n
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def normal(values: Tensor) -> tuple[float, float] | None:
    """Mean of `values` [n] plus and minus 1.96 standard errors; None for fewer than two."""
    if len(values) < 2:
        return None
    mean, half = float(values.mean()), Z * float(values.std()) / sqrt(len(values))
    return mean - half, mean + half
