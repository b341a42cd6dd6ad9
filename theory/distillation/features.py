"""Populations of real features as problems: frozen networks on handwritten digits, or any table of features.

The rows are the whole population: their covariance is the true one, and population least squares is the truth.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError
from theory.distillation.digits import CLASSES, attention_features, augmented, relu_features
from theory.distillation.problem import Floats, Regression, power_signal

RANK = 1e-12
"""Eigenvalues below this fraction of the largest are rounding."""


@lru_cache(maxsize=4)  # one population holds up to 52 MB
def digits_population(kind: str, copies: int, seed: int) -> Regression:
    """512 frozen random features of the digits with their one-hot classes: ``kind`` is relu or attention.

    The population is the 1,797 digits and ``copies`` shifted and noisy copies of each; ``seed`` draws network and
    copies. Takes about a second at 6 copies; the last four populations are kept.
    """
    images, classes = augmented(copies, seed)
    generator = np.random.default_rng([seed, 1])
    network = attention_features if kind == "attention" else relu_features
    return from_features(network(images, generator), np.eye(CLASSES)[classes], source=digits_source(kind, copies, seed))


def digits_source(kind: str, copies: int, seed: int) -> str:
    """What a digits population says of itself; the experiment on trained networks recognises it by this."""
    return f"{kind} features of handwritten digits, {copies} copies, seed {seed}"


def from_features(
    features: npt.ArrayLike,
    targets: npt.ArrayLike | None = None,
    *,
    signal_exponent: float = 1.5,
    source: str = "given features",
    notes: tuple[str, ...] = (),
) -> Regression:
    """A population of features (N, p) with targets (N,) or (N, o) as a problem in the eigenbasis of its covariance.

    Features and targets are centred and features divided by their root mean square norm, so that the eigenvalues add
    up to 1. ``signals`` (r, o) is population least squares of every output, ``signal`` (r,) the root of its sum of
    squares over outputs: risks of teachers that rescale coordinates depend on nothing else. Without targets the truth
    is made up: ``lambda_i beta_i^2 = i^-signal_exponent``.

    Raises:
        DataError: shapes do not fit, a value is not finite, or fewer than 2 directions vary.
    """
    rows = np.array(features, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[0] < 2:
        raise DataError("wrong_shape", f"features have shape {rows.shape}; expected rows of samples by features.")
    _check_finite(rows, "features")
    rows -= rows.mean(axis=0)
    size = float(np.sqrt(np.einsum("ij,ij->", rows, rows) / len(rows)))
    rows /= size if size > 0 else 1.0
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    values, vectors = values[::-1], vectors[:, ::-1]
    rank = int((values > RANK * max(float(values[0]), 1e-300)).sum()) if size > 0 else 0
    if rank < 2:
        raise DataError("too_few_features", f"the features vary in {rank} directions; expected at least 2.")
    eigenvalues, basis = np.ascontiguousarray(values[:rank]), np.ascontiguousarray(vectors[:, :rank])
    if rank < rows.shape[1]:
        notes = (*notes, f"features have rank {rank} of {rows.shape[1]}: the other directions do not vary.")
    if targets is None:
        made_up = power_signal(eigenvalues, signal_exponent)
        problem = Regression(eigenvalues, made_up, np.zeros(0), eigenvalues, features=rows, basis=basis)
        return replace(problem, signals=made_up[:, None], source=source, notes=notes)
    labels = np.array(targets, dtype=np.float64)
    labels = labels[:, None] if labels.ndim == 1 else labels
    if labels.ndim != 2 or len(labels) != len(rows):
        raise DataError("rows_mismatch", f"{len(rows)} rows of features but labels of shape {np.shape(targets)}.")
    _check_finite(labels, "labels")
    labels -= labels.mean(axis=0)
    signals = (basis.T @ (rows.T @ labels)) / len(rows) / eigenvalues[:, None]
    residual = np.maximum((labels**2).mean(axis=0) - eigenvalues @ signals**2, 0.0)
    return Regression(
        eigenvalues,
        np.sqrt((signals**2).sum(axis=1)),
        np.zeros(0),
        eigenvalues,
        features=rows,
        targets=labels,
        basis=basis,
        signals=signals,
        residual_variance=residual,
        source=source,
        notes=notes,
    )


def _check_finite(values: Floats, name: str) -> None:
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, column = wrong[0]
        detail = f"{name}, row {row}, column {column} is {values[row, column]}"
        raise DataError("not_finite", f"{detail}; expected a finite number ({len(wrong)} such values).")
