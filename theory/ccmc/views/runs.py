"""Runs of the experiment ``generation`` as the views see them: shares of the tokens, and which winners they reached.

Raw Datasets have ``counts`` (replicate, time, token) at the coordinate ``time`` = tokens so far; a dimension ``seed``
may come first.
"""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.ccmc.problem import Chain, Floats, Integers
from theory.shared.statistics import mean_of

TIMES = 40
"""Points per curve: enough to see its shape on a logarithmic axis."""
STATISTICS = ["mean", "low", "high"]
SAME = 0.5
"""A run whose last shares are within this L1 distance of a winner set's has gone there."""


def names_of(chain: Chain) -> list[str]:
    """The name of every token."""
    return [chain.name(token) for token in range(chain.vocab_size)]


def all_shares(raw: Dataset) -> Floats:
    """Shares (run, time, token) of every run of every seed."""
    order = [name for name in ("seed", "replicate", "time", "token") if name in raw.counts.dims]
    counts = np.asarray(raw.counts.transpose(*order).values, dtype=np.float64)
    counts = counts.reshape(-1, *counts.shape[-2:])
    return counts / counts.sum(axis=-1, keepdims=True)


def some_shares(raw: Dataset, most_runs: int) -> tuple[Floats, Floats]:
    """Shares (run, time, token) of the first runs, at no more than TIMES times, and those times (time,)."""
    shares, time = all_shares(raw)[:most_runs], np.asarray(raw["time"].values, dtype=np.float64)
    kept = np.unique(np.linspace(0, len(time) - 1, TIMES).round().astype(np.int64))
    return shares[:, kept], time[kept]


def reached(last: Floats, goals: Floats) -> Integers:
    """Index of the winner set (set, token) that each of the final shares (run, token) is at, -1 for none."""
    if not len(goals):
        return np.full(len(last), -1, dtype=np.int64)
    distance = np.abs(last[:, None, :] - goals).sum(axis=2)
    return np.where(distance.min(axis=1) < SAME, distance.argmin(axis=1), -1).astype(np.int64)


def bars(values: Floats) -> Floats:
    """Mean and mean -+ 2 standard errors (3, ...) along the first axis."""
    found = mean_of(values)
    return np.stack([found.mean, found.mean - 2 * found.error, found.mean + 2 * found.error])
