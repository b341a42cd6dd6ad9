"""Confidence intervals."""

from __future__ import annotations

Z = 1.959963984540054
"""Normal quantile of a two-sided 95 % interval."""


def wilson(successes: int, trials: int) -> tuple[float, float, float]:
    """Share and its 95 % Wilson interval.

    >>> [round(x, 3) for x in wilson(5, 10)]
    [0.5, 0.237, 0.763]
    """
    share, squared = successes / trials, Z * Z / trials
    centre = (share + squared / 2) / (1 + squared)
    half = Z / (1 + squared) * (share * (1 - share) / trials + squared / (4 * trials)) ** 0.5
    return share, min(centre - half, share), max(centre + half, share)
