"""What the figures of a person's own features draw."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.distillation.own.report import FeatureReport
from theory.distillation.views.talk import band


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
    steps, predicted = band(report.measured.T, report.standard_error.T), report.predicted.T
    return Dataset(
        {
            "predicted": (("arm", "size"), predicted, {"long_name": "excess risk on unseen rows"}),
            "measured": (("statistic", "arm", "size"), steps, {"long_name": "excess risk on unseen rows"}),
            "ratio": (("statistic", "arm", "size"), steps / predicted),
            "reliable": ("size", np.array(report.reliable)),
        },
        coords={"size": report.sizes, "arm": list(report.arms), "statistic": ["mean", "low", "high"]},
    )
