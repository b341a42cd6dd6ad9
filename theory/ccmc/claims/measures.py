"""What claims read off generated text, without the theory's help, and how they compare it entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.ccmc.problem import Chain, Floats
from theory.core.compare import ALLOWANCE, STANDARD_ERROR
from theory.core.vocabulary import Check
from theory.shared.statistics import pooled

Booleans = npt.NDArray[np.bool_]
PRESENT = 0.05
"""Tokens with a larger share at the end of a text are its winners, as far as the text can tell."""


def run_counts(raw: Dataset) -> tuple[Floats, Floats]:
    """Recorded times (M,) and counts (R, M, K) of all runs of all seeds."""
    return raw["time"].values.astype(np.float64), pooled(raw.counts)


def record_at(times: Floats, wanted: float) -> int:
    """Index of the record nearest to a time on the log axis."""
    return int(np.abs(np.log(times) - np.log(wanted)).argmin())


def growth_from(times: Floats, counts: Floats, start: int) -> Floats:
    """Growth exponents (R, K) of counts (R, M, K) from record ``start`` to the end."""
    logs = np.log(np.maximum(counts[:, [start, -1]], 1.0))
    return (logs[:, 1] - logs[:, 0]) / np.log(times[-1] / times[start])


def last_half(times: Floats, counts: Floats) -> Floats:
    """Growth exponents (R, K) over the last half of the log-spaced records."""
    return growth_from(times, counts, record_at(times, float(np.sqrt(times[0] * times[-1]))))


def median_error(values: Floats) -> float:
    """Standard error of the median (R,) from order statistics: half the span of the ranks R/2 ± √R/2."""
    ranked, half = np.sort(values), np.sqrt(len(values)) / 2
    low = int(np.floor(max(len(values) / 2 - half, 0)))
    high = int(np.ceil(min(len(values) / 2 + half, len(values) - 1)))
    return float(ranked[high] - ranked[low]) / 2


def median_check(name: str, values: Floats, allowed: float, resolution: float, hint: str = "n_tokens") -> Check:
    """The check that the median of runs (R,) is at most ``allowed``."""
    return at_most(
        name,
        np.median(values),
        allowed,
        resolution,
        standard_error=median_error(values),
        dof=len(values) - 1,
        replicates=len(values),
        raise_hint=hint,
    )


def steps_apart(law: Floats) -> float:
    """Kolmogorov distance of a sample from a law, given the law's distribution function at the sorted sample (R,)."""
    steps = np.arange(len(law) + 1) / len(law)
    return float(np.maximum(law - steps[:-1], steps[1:] - law).max())


def set_label(chain: Chain, members: Booleans) -> str:
    """A set of tokens (K,) in words: ``a+b``.

    >>> from types import SimpleNamespace
    >>> set_label(SimpleNamespace(name=str), np.array([True, False, True]))
    '0+2'
    """
    return "+".join(chain.name(token) for token in np.flatnonzero(members).tolist())


def by_winners(shares: Floats, least: float = PRESENT) -> tuple[Booleans, list[Booleans]]:
    """Sets of tokens (S, K) with more than ``least`` of shares (R, K), small ones first; which rows (R,) have each."""
    present = shares > least
    sets = np.array(sorted({tuple(row) for row in present.tolist()}, key=lambda row: (sum(row), [not x for x in row])))
    return sets, [np.asarray((present == members).all(axis=1), dtype=np.bool_) for members in sets]


def entry_check(
    name: str,
    prediction: Dataset,
    measured: Dataset,
    variable: str,
    resolution: float,
    hint: str = "n_tokens",
    **at: int,
) -> Check:
    """The check of one entry of a variable, with the allowance and the standard error that stand beside it."""

    def entry(data: Dataset, found: str) -> float:
        return float(data[found].isel(at, missing_dims="ignore"))

    allowed, error = entry(prediction, variable + ALLOWANCE), measured[variable + STANDARD_ERROR]
    return Check(
        name=name,
        deviation=entry(measured, variable) - entry(prediction, variable),
        allowance=(-allowed, allowed),
        resolution=resolution,
        standard_error=entry(measured, variable + STANDARD_ERROR),
        dof=error.attrs["dof"],
        replicates=error.attrs["replicates"],
        raise_hint=hint,
    )


def by_columns(transition: Floats) -> Floats:
    """P (K, K) with its columns taken for its rows, each scaled to sum 1: a slip that several rivals make."""
    turned = np.maximum(transition.T, 1e-300)
    return turned / turned.sum(axis=1, keepdims=True)


def at_most(name: str, deviation: Any, high: float, resolution: float, **about: Any) -> Check:
    """The check of a number that has an upper bound; ``about`` are further fields of the check."""
    return Check(name=name, deviation=float(deviation), allowance=(-np.inf, high), resolution=resolution, **about)


def moved(name: str, factor: float = 1.05) -> Callable[[Dataset, float], Dataset]:
    """A mutation: a little more than ``amount`` added to every entry of a variable."""
    return lambda prediction, amount: prediction.assign({name: prediction[name] + factor * amount})
