"""Learning curves, the map of gains and local slopes against one-at-a-time computations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from theory.core.errors import ParameterError
from theory.distillation.curves import gain_map, learning_curves, local_slopes, tuned_ridge
from theory.distillation.effective_ridge import stats
from theory.distillation.power_law import power_law_limits
from theory.distillation.student_risk import amplified, masked, optimal_mask, optimal_surrogate, risk

INDEX = np.arange(1.0, 301)
EIGENVALUES, SIGNAL = INDEX**-1.8, INDEX ** ((1.8 - 1.4) / 2)


@pytest.mark.parametrize(("noise", "ridge"), [(0.0, 0.0), (0.3, 0.0), (0.3, 0.2)])
def test_every_point_of_a_curve_is_the_risk_there(noise: float, ridge: float) -> None:
    sizes = np.array([5.0, 60.0, 295.0])
    curves = learning_curves(EIGENVALUES, SIGNAL, sizes, noise, ridge)
    for position, n in enumerate(sizes):
        found = stats(EIGENVALUES, n, ridge)
        kept = optimal_mask(found)
        columns = np.column_stack([SIGNAL, masked(SIGNAL, kept), optimal_surrogate(found, SIGNAL)])
        expected = risk(EIGENVALUES, SIGNAL, columns, n, noise, ridge).risk
        shown = [curves.strong[position], curves.mask[position], curves.optimal[position]]
        assert shown == pytest.approx(list(expected), rel=1e-8)
        assert (curves.kept[position], curves.amplified[position]) == (kept, amplified(found))
        assert curves.free_samples[position] == pytest.approx(found.free_samples, rel=1e-8)


@pytest.mark.parametrize("noise", [0.0, 0.1, 1.0])
def test_tuned_ridge_is_the_best_penalty(noise: float) -> None:
    sizes = np.array([20.0, 150.0])
    found = tuned_ridge(EIGENVALUES, SIGNAL, sizes, noise)
    for value, n in zip(found, sizes, strict=True):
        best = minimize_scalar(
            lambda log, n=n: float(risk(EIGENVALUES, SIGNAL, SIGNAL, n, noise, float(np.exp(log))).risk),
            bounds=(-16, 8),
            method="bounded",
        ).fun
        untuned = float(risk(EIGENVALUES, SIGNAL, SIGNAL, n, noise).risk)
        assert value == pytest.approx(min(best, untuned), rel=2e-4)


def test_gain_map_has_nothing_to_gain_on_equal_eigenvalues() -> None:
    found, floor = gain_map(np.array([0.0, 2.0]), np.array([0.1, 0.4, 0.9]), 500, 1.5)
    assert found[0] == pytest.approx(1, abs=1e-9) and floor[0] == pytest.approx([0.1, 0.4, 0.1])
    assert (floor < found).all()
    assert found[1, 1] == pytest.approx(0.08325 / 0.11937, abs=1e-4)


@pytest.mark.parametrize(("alpha", "beta"), [(2.0, 1.5), (1.5, 5.0), (1.2, 1.5), (3.0, 1.5), (2.0, 1.06)])
def test_all_arms_share_the_exponent_of_a_power_law(alpha: float, beta: float) -> None:
    slopes = local_slopes("power", alpha, beta, np.array([1e5]))
    for arm in slopes.values():
        assert arm[0] == pytest.approx(-power_law_limits(alpha, beta).exponent, abs=0.003)


def test_an_exponential_spectrum_separates_the_exponents_by_one() -> None:
    slopes = local_slopes("exponential", 0.05, 3.0, np.array([1e5, 1e6]))
    assert slopes["strong"] == pytest.approx([-1.0, -1.0], abs=0.01)
    assert slopes["mask"] == pytest.approx([-2.0, -2.0], abs=0.01)
    assert slopes["optimal"] == pytest.approx([-2.0, -2.0], abs=0.01)


def test_infinite_features_agree_with_many() -> None:
    many = np.arange(1.0, 200_001)
    sizes = np.array([300.0 / 1.05, 300.0 * 1.05])
    curves = learning_curves(many**-2.5, many ** ((2.5 - 3.0) / 2), sizes)
    slopes = local_slopes("power", 2.5, 3.0, np.array([300.0]))
    for name in ("strong", "mask", "optimal"):
        values = getattr(curves, name)
        assert slopes[name][0] == pytest.approx(np.log(values[1] / values[0]) / np.log(1.05**2), abs=1e-4)


def test_infinite_trace_or_signal_is_refused() -> None:
    with pytest.raises(ParameterError, match="spectrum_exponent"):
        local_slopes("power", 1.0, 2.0, np.array([100.0]))
    with pytest.raises(ParameterError, match="signal_exponent"):
        local_slopes("exponential", 0.1, 1.0, np.array([100.0]))
    with pytest.raises(ParameterError, match="n_samples"):
        learning_curves(EIGENVALUES, SIGNAL, np.array([300.0]))


def test_slopes_of_steep_spectra_under_slow_signals_are_finite() -> None:
    """The sums then reach so many features that the last eigenvalues are below what float64 holds."""
    found = local_slopes("power", 3.0, 1.125, np.array([1e5]))
    assert all(np.isfinite(found[arm]).all() for arm in ("strong", "mask", "optimal"))
