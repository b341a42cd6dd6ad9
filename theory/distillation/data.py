"""From parameters to a problem: spectra, signals, the teacher's covariance, network features, and given arrays."""

from __future__ import annotations

import numpy as np

from theory.core.errors import ParameterError
from theory.core.vocabulary import every_parameter
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Integers, Regression, checked_eigenvalues, checked_vector, power_signal
from theory.shared.spectra import rotated_basis

MOST_ROTATED = 1500
"""Rotated covariances need dense eigenproblems of this size at most."""
LARGEST_DECAY = 600.0
"""Eigenvalues stop at exp(-600) of the first: smaller ones would underflow, and no data resolves them."""
_SHAPED_BY: dict[str, frozenset[str]] = {
    "power": frozenset({"n_features", "spectrum_exponent", "signal_exponent"}),
    "exponential": frozenset({"n_features", "rate", "signal_exponent"}),
    "two_level": frozenset({"n_features", "head_fraction", "level_ratio", "signal_exponent"}),
    "isotropic": frozenset({"n_features", "signal_exponent"}),
    "features": frozenset({"features", "population_copies", "data_seed"}),
}
"""The parameters that shape each spectrum."""


def draw(params: Params, data_seed: int) -> Regression:
    """The problem at these parameters; given arrays replace what the spectrum describes.

    Raises:
        ParameterError: values do not fit together. DataError: a given array is not usable; its position is named.
    """
    if params.eigenvalues is not None:
        return _given(params, data_seed)
    if params.spectrum == "features":
        from theory.distillation.features import digits_population  # scikit-learn loads only when it is asked for

        return digits_population(params.features, params.population_copies, data_seed)
    eigenvalues = spectrum(params, params.n_features)
    signal = power_signal(eigenvalues, params.signal_exponent)
    return _problem(params, data_seed, eigenvalues, signal, np.arange(len(signal)))


def spectrum(params: Params, n_features: int) -> Floats:
    """The eigenvalues lambda (p,), descending, that the parameters describe."""
    index = np.arange(1, n_features + 1, dtype=np.float64)
    match params.spectrum:
        case "exponential":
            return np.exp(-np.minimum(params.rate * (index - 1), LARGEST_DECAY))
        case "two_level":
            return np.where(index <= max(1, round(params.head_fraction * len(index))), 1.0, params.level_ratio)
        case "isotropic":
            return np.ones(len(index))
        case _:
            return index**-params.spectrum_exponent


def resized(params: Params, problem: Regression, n_features: int) -> Regression:
    """The same law with another number of features; given arrays and network features keep their own."""
    if params.eigenvalues is not None or params.spectrum == "features":
        return Regression(problem.eigenvalues, problem.signal, np.zeros(0), problem.teacher_eigenvalues)
    eigenvalues = spectrum(params, n_features)
    return Regression(eigenvalues, power_signal(eigenvalues, params.signal_exponent), np.zeros(0), eigenvalues)


def bounds(params: Params) -> dict[str, tuple[float, float]]:
    """Ranges that depend on the other parameters."""
    size = _size(params)
    # Without ridge the student interpolates: it needs more features than samples.
    most = 4900 if params.ridge > 0 or size is None else max(5, int(0.98 * size))
    found: dict[str, tuple[float, float]] = {"n_samples": (5, most)}
    if size is not None:
        found["teacher_features"] = (1, size)
        found["rotation"] = (0.0, 1.0 if size <= MOST_ROTATED else 0.0)
    return found


def active(params: Params) -> frozenset[str]:
    """Names of the parameters that change something at these values."""
    shaped = frozenset[str]().union(*_SHAPED_BY.values())
    given = params.eigenvalues is not None
    idle = shaped - (frozenset[str]() if given else _SHAPED_BY[params.spectrum])
    if given:
        idle |= {"spectrum"}
    if params.rotation > 0:
        idle -= {"data_seed"}
    if params.teacher_eigenvalues is not None or params.spectrum == "features":
        idle |= {"teacher_spectrum_exponent"}
    return every_parameter(params) - idle


def _given(params: Params, data_seed: int) -> Regression:
    eigenvalues, order = checked_eigenvalues(params.eigenvalues or ())
    if params.signal is None:
        return _problem(params, data_seed, eigenvalues, power_signal(eigenvalues, params.signal_exponent), order)
    signal = checked_vector(params.signal, "signal", len(params.eigenvalues or ()))[order]
    return _problem(params, data_seed, eigenvalues, signal, order)


def _problem(params: Params, data_seed: int, eigenvalues: Floats, signal: Floats, order: Integers) -> Regression:
    """``order`` are the positions of the eigenvalues among those given: other given vectors follow them."""
    size = len(order) if params.eigenvalues is None else len(params.eigenvalues)
    surrogate = np.zeros(0)
    if params.surrogate is not None:
        surrogate = checked_vector(params.surrogate, "surrogate", size)[order]
    basis = None
    if params.rotation > 0:
        basis = rotated_basis(len(order), params.rotation, np.random.default_rng(data_seed))
    return Regression(eigenvalues, signal, surrogate, _teacher_eigenvalues(params, eigenvalues, order, size), basis)


def _teacher_eigenvalues(params: Params, eigenvalues: Floats, order: Integers, size: int) -> Floats:
    if params.teacher_eigenvalues is not None:
        teacher = checked_vector(params.teacher_eigenvalues, "teacher_eigenvalues", size)[order]
        if float(np.min(teacher)) <= 0:
            raise ParameterError("teacher_eigenvalues", float(np.min(teacher)), "positive numbers")
        return teacher
    if params.teacher_spectrum_exponent is None:
        return eigenvalues
    return np.arange(1, len(order) + 1, dtype=np.float64) ** -params.teacher_spectrum_exponent


def _size(params: Params) -> int | None:
    """Number of features; None when the features of a network decide it."""
    if params.eigenvalues is not None:
        return max(2, len(params.eigenvalues))
    return None if params.spectrum == "features" else params.n_features
