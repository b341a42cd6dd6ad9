"""What claims read off generated text, without the theory's help."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from xarray import Dataset

Floats = npt.NDArray[np.float64]


def run_counts(raw: Dataset) -> tuple[Floats, Floats]:
    """Recorded times (M,) and counts (R, M, K) of all runs of all seeds."""
    counts = raw.counts.transpose("seed", "replicate", "time", "token").values
    return raw["time"].values.astype(np.float64), counts.reshape(-1, *counts.shape[2:])


def record_at(times: Floats, wanted: float) -> int:
    """Index of the record nearest to a time on the log axis."""
    return int(np.abs(np.log(times) - np.log(wanted)).argmin())


def mean_error(values: Floats) -> Floats:
    """Standard error of the mean over the first axis; 0 for a single run."""
    return values.std(axis=0, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.zeros(values.shape[1:])


def median_error(values: Floats) -> float:
    """Standard error of the median (R,) from order statistics: half the span of the ranks R/2 ± √R/2."""
    ranked, half = np.sort(values), np.sqrt(len(values)) / 2
    low = int(np.floor(max(len(values) / 2 - half, 0)))
    high = int(np.ceil(min(len(values) / 2 + half, len(values) - 1)))
    return float(ranked[high] - ranked[low]) / 2
