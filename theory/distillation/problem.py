"""The room's data type: a spectrum with a true signal, a teacher's covariance, and perhaps a population of features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError, ParameterError
from theory.core.problem import Problem

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Regression(Problem):
    """A linear target problem in the eigenbasis of its feature covariance (arXiv 2410.18837).

    ``eigenvalues`` (p,) lambda, positive and descending; ``signal`` (p,) beta_star in the same basis; ``surrogate``
    (p,) a given teacher beta_s, or empty; ``teacher_eigenvalues`` (p,) lambda_s of the covariance that a fitted
    teacher is trained on; ``teacher_basis`` (p, p) its eigenvectors as columns, or None when they are the student's.

    With network features: ``features`` (N, p), the centred population in its own coordinates, ``targets`` (N, o), its
    centred labels, and ``basis`` (p, r), the eigenvectors; ``signals`` (r, o) is then the population least-squares
    solution for every output and ``residual_variance`` (o,) what it leaves. ``feature_names`` (p,) are the columns'
    names where they have any.
    """

    eigenvalues: Floats
    signal: Floats
    surrogate: Floats
    teacher_eigenvalues: Floats
    teacher_basis: Floats | None = None
    features: Floats | None = None
    targets: Floats | None = None
    basis: Floats | None = None
    signals: Floats | None = None
    residual_variance: Floats | None = None
    feature_names: tuple[str, ...] = ()
    source: str = ""
    notes: tuple[str, ...] = ()

    @property
    def n_features(self) -> int:
        return len(self.eigenvalues)


def power_signal(eigenvalues: Floats, signal_exponent: float) -> Floats:
    """The signal beta_star (p,) with ``lambda_i beta_i^2 = i^-signal_exponent``."""
    index = np.arange(1, len(eigenvalues) + 1, dtype=np.float64)
    return np.sqrt(index**-signal_exponent / eigenvalues)


def at_least(low: float, **values: float) -> None:
    """Refuse numbers that make no sense.

    Raises:
        ParameterError: one of ``values`` is below ``low``, infinite or NaN.
    """
    for name, value in values.items():
        if not low <= value < math.inf:
            raise ParameterError(name, value, f"a finite number of at least {low:g}")


def as_long(eigenvalues: Floats, **vectors: Floats) -> None:
    """Refuse what numpy would stretch.

    Raises:
        DataError: one of ``vectors`` has another number of rows than there are eigenvalues.
    """
    for name, vector in vectors.items():
        if vector.shape[:1] != eigenvalues.shape:
            raise DataError("wrong_shape", f"{name} has shape {vector.shape}; expected {len(eigenvalues)} rows.")


def checked_eigenvalues(
    eigenvalues: Sequence[float] | npt.NDArray[Any], name: str = "eigenvalues"
) -> tuple[Floats, Integers]:
    """Eigenvalues in descending order, and their positions among those given.

    Zeros are dropped (their features carry no data).

    Raises:
        DataError: fewer than 2 positive eigenvalues, a NaN, an infinity or a negative value; its position is named.
    """
    values = _numbers(eigenvalues, name)
    if values.ndim != 1:
        raise DataError("wrong_shape", f"{name} has shape {values.shape}; expected one number per feature.")
    wrong = np.flatnonzero(~np.isfinite(values) | (values < 0))
    if len(wrong):
        position = int(wrong[0])
        raise DataError("not_positive", f"{name}[{position}] is {values[position]}; expected a positive finite number.")
    order = np.argsort(-values, kind="stable")
    order = order[values[order] > 0]
    if len(order) < 2:
        raise DataError("too_few_features", f"{name} has {len(order)} positive entries; expected at least 2.")
    return values[order], order


def checked_vector(values: Sequence[float] | npt.NDArray[Any], name: str, size: int) -> Floats:
    """A finite vector with one entry per feature.

    Raises:
        DataError: another length, not numbers, a NaN or an infinity; the position is named.
    """
    vector = _numbers(values, name)
    if vector.shape != (size,):
        raise DataError(
            "wrong_shape", f"{name} has shape {vector.shape}; expected ({size},), one entry per eigenvalue."
        )
    wrong = np.flatnonzero(~np.isfinite(vector))
    if len(wrong):
        raise DataError("not_finite", f"{name}[{wrong[0]}] is {vector[wrong[0]]}; expected a finite number.")
    return vector


def _numbers(values: Sequence[float] | npt.NDArray[Any], name: str) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("not_numbers", f"{name} must be a list of numbers.") from error
