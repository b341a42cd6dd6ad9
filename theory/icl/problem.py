"""The room's data type: covariances of features and tasks, and perhaps a person's own regression tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError
from theory.core.problem import Problem

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
SYMMETRY = 1e-8


@dataclass(frozen=True, eq=False)
class Regression(Problem):
    """In-context linear regression (arXiv 2407.10005): prompts of n examples (x_i, y_i) and a query x.

    ``feature_covariance`` Sigma_x (d, d), ``task_covariance`` Sigma_beta (d, d), ``new_task_covariance`` (d, d) of the
    task that LoRA adapts to. A person's own tasks: ``own_features`` (N, d), ``own_labels`` (N,) and ``own_task`` (N,),
    the task each row belongs to (contiguous); empty when everything is generated.
    """

    feature_covariance: Floats
    task_covariance: Floats
    new_task_covariance: Floats
    own_features: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    own_labels: Floats = field(default_factory=lambda: np.zeros(0))
    own_task: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    notes: tuple[str, ...] = ()

    @property
    def dim(self) -> int:
        return len(self.feature_covariance)

    @cached_property
    def whitening(self) -> tuple[Floats, Floats]:
        """Sigma_x^(1/2) and Sigma_x^(-1/2), each (d, d)."""
        values, vectors = np.linalg.eigh(self.feature_covariance)
        return (vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T

    @cached_property
    def whitened_tasks(self) -> Floats:
        """A = Sigma_x^(1/2) Sigma_beta Sigma_x^(1/2), shape (d, d)."""
        root = self.whitening[0]
        return root @ self.task_covariance @ root

    @cached_property
    def spectrum(self) -> tuple[Floats, Floats]:
        """Eigenvalues (d,) of A, descending, and its eigenvectors (d, d) as columns."""
        values, vectors = np.linalg.eigh(self.whitened_tasks)
        return np.maximum(values[::-1], 0.0), vectors[:, ::-1]


def covariances(features: npt.ArrayLike, tasks: npt.ArrayLike, new_tasks: npt.ArrayLike | None = None) -> Regression:
    """A problem with these covariances (d, d); the new tasks, which LoRA adapts to, are the old ones by default.

    Raises:
        DataError: a matrix is not a covariance; the entry is named.
    """
    first = checked_covariance(features, "feature_covariance", definite=True)
    old = checked_covariance(tasks, "task_covariance", dim=len(first))
    new = old if new_tasks is None else checked_covariance(new_tasks, "new_task_covariance", dim=len(first))
    return Regression(first, old, new)


def isotropic(dim: int) -> Regression:
    """Features and tasks without a preferred direction, for which the formulas of aligned prompts are exact."""
    return Regression(np.eye(dim), np.eye(dim), np.eye(dim))


def checked_covariance(rows: npt.ArrayLike, name: str, *, definite: bool = False, dim: int | None = None) -> Floats:
    """A symmetric positive semidefinite (or definite) matrix from user input.

    Raises:
        DataError: not square, not of size ``dim``, a NaN, not symmetric, or with a negative eigenvalue.
    """
    try:
        table = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("covariance_shape", f"{name} must be rows of numbers, all of one length.") from error
    size = dim or len(np.atleast_1d(table))
    if table.shape != (size, size) or size < 1:
        raise DataError("covariance_shape", f"{name} has shape {table.shape}; expected ({size}, {size}).")
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        found = f"{name}[{row}, {column}] is {table[row, column]}"
        raise DataError("covariance_not_finite", f"{found}; expected a finite number.")
    scale = float(np.abs(table).max())
    gap = np.abs(table - table.T)
    if gap.max() > SYMMETRY * max(scale, 1e-300):
        row, column = np.unravel_index(int(gap.argmax()), gap.shape)
        found = f"{name}[{row}, {column}] is {table[row, column]:g} and [{column}, {row}] is {table[column, row]:g}"
        raise DataError("covariance_not_symmetric", f"{found}; expected equal numbers.")
    values = np.linalg.eigvalsh((table + table.T) / 2)
    if values[0] < -SYMMETRY * scale:
        raise DataError("covariance_negative", f"{name} has the eigenvalue {values[0]:g}; expected at least 0.")
    if definite and values[0] <= 1e-12 * scale:
        found = f"{name} has the smallest eigenvalue {max(values[0], 0.0):g}"
        raise DataError("covariance_singular", f"{found}; expected more than 0.")
    return (table + table.T) / 2
