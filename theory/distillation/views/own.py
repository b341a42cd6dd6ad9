"""What the figures of a person's own features draw."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.distillation.own.report import FeatureReport


def own_spectrum(report: FeatureReport) -> Dataset:
    """Eigenvalues of the features, and what the best teacher does to each direction.

    Returns:
        ``eigenvalue`` and ``factor`` (direction: best teacher over truth); scalar ``n_samples``.
    """
    return Dataset(
        {
            "eigenvalue": ("direction", report.eigenvalues, {"long_name": "share of the variance"}),
            "factor": ("direction", np.array([item.factor for item in report.advice])),
            "action": ("direction", [item.action for item in report.advice]),
            "n_samples": ((), report.n_samples),
        },
        coords={"direction": np.arange(1, report.rank + 1)},
    )


def own_curve(report: FeatureReport) -> Dataset:
    """Predicted and measured excess risk of students of the features, and their ratio.

    Returns:
        ``predicted`` (arm, size), ``measured`` (statistic, arm, size), ``ratio`` (statistic, arm, size: measured over
        predicted), ``reliable`` (size).
    """
    spread = 2 * report.standard_error
    mean, predicted = report.measured, report.predicted
    steps = np.stack([mean, np.maximum(mean - spread, mean * 1e-3), mean + spread]).transpose(0, 2, 1)
    return Dataset(
        {
            "predicted": (("arm", "size"), predicted.T, {"long_name": "excess risk on unseen rows"}),
            "measured": (("statistic", "arm", "size"), steps, {"long_name": "excess risk on unseen rows"}),
            "ratio": (("statistic", "arm", "size"), steps / predicted.T),
            "reliable": ("size", np.array(report.reliable)),
        },
        coords={"size": report.sizes, "arm": list(report.arms), "statistic": ["mean", "low", "high"]},
    )
