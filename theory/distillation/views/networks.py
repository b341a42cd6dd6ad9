"""What the figure of trained networks draws."""

from __future__ import annotations

from xarray import Dataset


def networks(raw: Dataset) -> Dataset:
    """Accuracy and squared error on unseen digits of every network, by the labels it was trained on.

    Returns:
        ``accuracy`` and ``squared_error`` (label, seed); ``teacher_accuracy`` (teacher, seed).
    """
    return raw[["accuracy", "squared_error", "teacher_accuracy"]].transpose("label", "teacher", "seed")
