"""From parameters to a problem: covariances described by decay exponents, or given."""

from __future__ import annotations

import numpy as np

from theory.core.errors import ParameterError
from theory.core.vocabulary import every_parameter
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression, checked_covariance
from theory.shared.spectra import rotated_basis


def draw(params: Params, data_seed: int) -> Regression:
    """The problem at these parameters; given arrays replace what the exponents describe.

    Raises:
        ParameterError: values do not fit together. DataError: a given matrix is not a covariance; the entry is named.
    """
    size = size_of(params)
    generator = np.random.default_rng(data_seed)
    basis = rotated_basis(size, params.basis_rotation, generator)
    if params.feature_covariance is None:
        features = np.diag(decaying(size, params.feature_decay))
    else:
        features = checked_covariance(params.feature_covariance, "feature_covariance", definite=True, dim=size)
    if params.task_covariance is not None:
        tasks = checked_covariance(params.task_covariance, "task_covariance", dim=size)
    elif params.eigenvalues is not None:
        tasks = (basis * _given(params.eigenvalues, "eigenvalues", size)) @ basis.T
    else:
        tasks = (basis * decaying(size, params.spectrum_decay)) @ basis.T
    if params.new_task_covariance is not None:
        new = checked_covariance(params.new_task_covariance, "new_task_covariance", dim=size)
    elif params.new_eigenvalues is not None:
        new = (basis * _given(params.new_eigenvalues, "new_eigenvalues", size)) @ basis.T
    else:
        new = (basis * decaying(size, params.new_spectrum_decay)[::-1]) @ basis.T
    return Regression(features, tasks, new)


def decaying(size: int, exponent: float) -> Floats:
    """Eigenvalues k^-exponent for k = 1..d, scaled so that they sum to d.

    >>> decaying(2, 0.0).tolist()
    [1.0, 1.0]
    """
    values = np.arange(1, size + 1, dtype=np.float64) ** -exponent
    return values * size / values.sum()


def bounds(params: Params) -> dict[str, tuple[float, float]]:
    """Ranges that depend on the other parameters."""
    repeats = params.design == "drift" and params.drift == "period"
    return {"rank": (0, size_of(params)), "period": (1, min(50, params.context_length) if repeats else 50)}


def active(params: Params) -> frozenset[str]:
    """Names of the parameters that change something at these values."""
    idle: set[str] = set()
    if params.design in ("independent", "drift"):
        idle |= {"alignment"}
    if params.design != "drift":
        idle |= {"drift", "task_correlation", "period"}
    elif params.drift != "period":
        idle |= {"period"}
    else:
        idle |= {"task_correlation"}
    given_tasks = params.eigenvalues is not None or params.task_covariance is not None
    idle |= {"spectrum_decay"} if given_tasks else set[str]()
    given_sizes = given_tasks or params.feature_covariance is not None
    idle |= {"dim"} if given_sizes else set[str]()
    idle |= {"feature_decay"} if params.feature_covariance is not None else set[str]()
    return every_parameter(params) - idle


def size_of(params: Params) -> int:
    """The dimension d: given arrays decide it, else the parameter."""
    for given in (params.feature_covariance, params.task_covariance, params.eigenvalues):
        if given is not None:
            return max(1, len(given))
    return params.dim


def _given(values: tuple[float, ...], name: str, size: int) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (size,) or not np.isfinite(found).all() or (found < 0).any():
        raise ParameterError(name, values, f"{size} finite numbers of at least 0")
    return found
