"""The risk formula against independent algebra and simulation; optimum, mask and bounds against brute force."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.core.errors import Cancelled, DataError
from theory.distillation.effective_ridge import Stats, stats
from theory.distillation.simulation.students import check_resolvable, fit, simulate
from theory.distillation.student_risk import (
    amplified,
    curvature,
    gain_bounds,
    largest_amplification,
    mask_curve,
    masked,
    optimal_mask,
    optimal_surrogate,
    risk,
    risk_of,
)

Floats = npt.NDArray[np.float64]


def setting(seed: int) -> tuple[Stats, Floats, Floats]:
    """Statistics, eigenvalues and a signal at random; half of them with a ridge."""
    generator = np.random.default_rng(seed)
    size = int(generator.integers(5, 200))
    eigenvalues = np.sort(np.exp(-generator.uniform(0, 15) * generator.random(size)))[::-1].copy()
    ridge = 0.0 if seed % 2 == 0 else float(10 ** generator.uniform(-3, 1))
    samples = int(generator.integers(1, size))
    return stats(eigenvalues, samples, ridge), eigenvalues, generator.normal(0, 1, size) / np.sqrt(eigenvalues)


def test_default_setting_of_the_paper() -> None:
    index = np.arange(1.0, 501)
    eigenvalues, signal = index**-2.0, index**0.25
    found = stats(eigenvalues, 200)
    assert (amplified(found), optimal_mask(found)) == (126, 203)
    columns = np.column_stack([signal, masked(signal, 203), optimal_surrogate(found, signal)])
    assert risk_of(found, eigenvalues, signal, columns).risk == pytest.approx([0.1194, 0.0897, 0.0833], abs=5e-5)
    assert risk(eigenvalues, signal, columns, 200, 0.1).risk == pytest.approx([0.2778, 0.2481, 0.2416], abs=5e-5)


def test_equal_eigenvalues_have_a_textbook_risk() -> None:
    signal = np.random.default_rng(0).normal(size=40)
    found = stats(np.full(40, 2.0), 10)
    expected = 2 * signal @ signal * (1 - 10 / 40) + 0.3 * 10 / 30
    assert float(risk(np.full(40, 2.0), signal, signal, 10, 0.3).risk) == pytest.approx(expected)
    assert np.allclose(optimal_surrogate(found, signal), signal, rtol=1e-12)
    assert amplified(found) == 0


@given(st.integers(0, 10_000))
def test_risk_is_a_quadratic_around_the_best_teacher(seed: int) -> None:
    found, eigenvalues, signal = setting(seed)
    best = optimal_surrogate(found, signal)
    step = np.random.default_rng(seed).normal(size=len(signal)) * np.abs(signal)
    risks = risk_of(found, eigenvalues, signal, np.column_stack([best, best + step])).risk
    assert risks[1] - risks[0] == pytest.approx(float(eigenvalues * curvature(found) @ step**2), rel=1e-6)


@given(st.integers(0, 10_000))
def test_order_of_the_teachers_and_their_bounds(seed: int) -> None:
    found, eigenvalues, signal = setting(seed)
    kept = optimal_mask(found)
    columns = np.column_stack([signal, masked(signal, kept), optimal_surrogate(found, signal)])
    strong, mask, best = risk_of(found, eigenvalues, signal, columns).risk
    assert best <= mask * (1 + 1e-9) and mask <= strong * (1 + 1e-9)
    low, low_mask = gain_bounds(found)
    assert best / strong >= low * (1 - 1e-9) and mask / strong >= low_mask * (1 - 1e-9)
    assert kept >= amplified(found)
    assert (kept == len(signal)) == (found.unlearnt_fraction[-1] ** 2 < found.one_minus_overfitting)
    factor = optimal_surrogate(found, np.ones(len(signal)))
    assert factor.max() <= max(largest_amplification(found), 1) * (1 + 1e-9)
    assert amplified(found) == int((factor > 1 + 1e-9).sum()) or np.ptp(found.unlearnt_fraction) < 1e-6


@given(st.integers(0, 10_000))
def test_mask_curve_is_the_risk_of_every_mask(seed: int) -> None:
    found, eigenvalues, signal = setting(seed)
    curve = mask_curve(found, eigenvalues, signal, 0.2)
    cuts = np.arange(len(signal) + 1)
    columns = np.where(np.arange(len(signal))[:, None] < cuts, signal[:, None], 0.0)
    assert np.allclose(curve, risk_of(found, eigenvalues, signal, columns, 0.2).risk, rtol=1e-8)
    assert curve[optimal_mask(found)] == pytest.approx(curve.min(), rel=1e-9)


@given(st.integers(0, 2_000))
def test_units_and_order_of_features_do_not_matter(seed: int) -> None:
    found, eigenvalues, signal = setting(seed - seed % 2)
    samples = round(found.free_samples / found.one_minus_overfitting)
    here = risk(eigenvalues, signal, signal, samples).risk
    order = np.random.default_rng(seed).permutation(len(signal))
    assert risk(9 * eigenvalues, signal / 3, signal / 3, samples).risk == pytest.approx(here, rel=1e-7)
    moved = risk(eigenvalues[order], signal[order], signal[order], samples).risk
    assert moved == pytest.approx(here, rel=1e-7)


@pytest.mark.parametrize(("samples", "ridge"), [(30, 0.0), (30, 0.05), (100, 0.5)])
def test_formula_against_explicit_inverses(samples: int, ridge: float) -> None:
    """Trials by ``pinv`` and dense normal equations: no code shared with the formula or the fast fit."""
    index = np.arange(1.0, 81)
    eigenvalues, signal = index**-1.2, index ** ((1.2 - 1.6) / 2)
    found = stats(eigenvalues, samples, ridge)
    columns = np.column_stack([signal, optimal_surrogate(found, signal), masked(signal, 10)])
    predicted = risk(eigenvalues, signal, columns, samples, 0.2, ridge).risk
    measured = np.zeros((400, 3))
    for trial in range(len(measured)):
        generator = np.random.default_rng((3, trial))
        inputs = generator.standard_normal((samples, 80)) * np.sqrt(eigenvalues)
        labels = inputs @ columns + np.sqrt(0.2) * generator.standard_normal((samples, 1))
        if ridge:
            weights = np.linalg.inv(inputs.T @ inputs + ridge * np.eye(80)) @ inputs.T @ labels
        else:
            weights = np.linalg.pinv(inputs) @ labels
        measured[trial] = eigenvalues @ (weights - signal[:, None]) ** 2
    error = measured.std(axis=0, ddof=1) / np.sqrt(len(measured))
    assert np.all(np.abs(measured.mean(axis=0) - predicted) < 4 * error + predicted / found.free_samples)


def test_fit_interpolates_and_the_self_taught_student_is_its_teacher() -> None:
    generator = np.random.default_rng(1)
    inputs = generator.standard_normal((20, 60)) * np.arange(1, 61) ** -1.0
    labels = generator.standard_normal((20, 3))
    teacher = fit(inputs, labels)
    assert np.abs(inputs @ teacher - labels).max() < 1e-8
    assert np.allclose(fit(inputs, inputs @ teacher), teacher, atol=1e-8)
    tall, right = generator.standard_normal((50, 6)), generator.standard_normal((50, 2))
    expected = np.linalg.solve(tall.T @ tall + 0.3 * np.eye(6), tall.T @ right)
    assert np.allclose(fit(tall, right, 0.3), expected)


def test_trials_do_not_depend_on_their_neighbours_and_noise_is_quadratic() -> None:
    eigenvalues, signal = np.arange(1.0, 41) ** -1.5, np.ones(40)
    together = simulate(eigenvalues, signal, signal[:, None], 12, [(0, 0), (0, 1)])
    alone = simulate(eigenvalues, signal, signal[:, None], 12, [(0, 1)])
    assert together.risk(0.7)[1] == pytest.approx(alone.risk(0.7)[0])
    generator = np.random.default_rng((0, 1))
    inputs = generator.standard_normal((12, 40)) * np.sqrt(eigenvalues)
    labels = inputs @ signal + np.sqrt(0.7) * generator.standard_normal(12)
    direct = eigenvalues @ (np.linalg.pinv(inputs) @ labels - signal) ** 2
    assert alone.risk(0.7)[0, 0] == pytest.approx(direct)


def test_what_float64_cannot_fit_is_refused() -> None:
    with pytest.raises(DataError, match="gram_singular"):
        check_resolvable(np.exp(-np.arange(50.0)), 40, 0.0)
    with pytest.raises(DataError, match="gram_singular"):
        fit(np.ones((3, 8)), np.ones((3, 1)))
    with pytest.raises(Cancelled):
        simulate(np.ones(9), np.ones(9), np.ones((9, 1)), 3, [(0, 0)], stop=lambda: True)
