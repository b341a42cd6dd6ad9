"""What the figure of trained networks draws."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.distillation.problem import Floats


def networks(raw: Dataset) -> Dataset:
    """Accuracy and squared error on unseen digits of every network, by the labels it was trained on.

    Returns:
        ``accuracy`` and ``squared_error`` (label, seed); ``teacher_accuracy`` (teacher, seed).
    """
    return Dataset(
        {
            "accuracy": (("label", "seed"), _by(raw, "accuracy", "label"), {"long_name": "unseen digits named right"}),
            "squared_error": (("label", "seed"), _by(raw, "squared_error", "label")),
            "teacher_accuracy": (("teacher", "seed"), _by(raw, "teacher_accuracy", "teacher")),
        },
        coords={"label": raw["label"].values, "teacher": raw["teacher"].values},
    )


def _by(raw: Dataset, name: str, dimension: str) -> Floats:
    return raw[name].transpose(dimension, "seed").values.astype(np.float64)
