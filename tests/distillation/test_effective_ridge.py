"""The effective ridge: its equation, exact special cases, identities, and what compression costs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from theory.core.errors import ParameterError
from theory.distillation.effective_ridge import compressed, solve_tau, solve_taus, stats

Floats = npt.NDArray[np.float64]


def some_spectrum(seed: int) -> tuple[Floats, float, float]:
    """A random spectrum over up to 17 decades, a sample size and a ridge (0 for even seeds)."""
    generator = np.random.default_rng(seed)
    size = int(generator.integers(2, 300))
    eigenvalues = np.sort(np.exp(-generator.uniform(0, 40) * generator.random(size)))[::-1]
    ridge = 0.0 if seed % 2 == 0 else float(10 ** generator.uniform(-6, 4))
    samples = generator.uniform(0.01, 0.999 * size if ridge == 0 else 3 * size)
    return eigenvalues.copy(), float(samples), ridge


@given(st.integers(0, 10_000))
def test_tau_solves_its_equation(seed: int) -> None:
    eigenvalues, samples, ridge = some_spectrum(seed)
    tau = solve_tau(eigenvalues, samples, ridge)
    assert tau > 0
    assert np.sum(eigenvalues / (eigenvalues + tau)) + ridge / tau == pytest.approx(samples, rel=1e-8)


@given(st.integers(0, 10_000))
def test_newton_agrees_with_bisection(seed: int) -> None:
    eigenvalues, samples, ridge = some_spectrum(seed)

    def excess(position: float) -> float:
        return float(np.sum(eigenvalues / (eigenvalues + np.exp(position))) + ridge * np.exp(-position) - samples)

    ours = np.log(solve_tau(eigenvalues, samples, ridge))
    assert excess(ours - 1e-6) > 0 > excess(ours + 1e-6) or ours == pytest.approx(
        brentq(excess, ours - 5, ours + 5), abs=1e-6
    )


@given(st.integers(0, 10_000))
def test_one_minus_overfitting_is_its_own_sum(seed: int) -> None:
    eigenvalues, samples, ridge = some_spectrum(seed)
    found = stats(eigenvalues, samples, ridge)
    assert found.overfitting + found.one_minus_overfitting == pytest.approx(1, abs=1e-8)
    assert 0 < found.one_minus_overfitting <= 1
    assert np.allclose(found.learnt_fraction + found.unlearnt_fraction, 1)


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_tau_falls_with_n_as_the_free_samples_say(ridge: float) -> None:
    eigenvalues = np.arange(1.0, 301) ** -1.7
    found = stats(eigenvalues, 100, ridge)
    slope = (solve_tau(eigenvalues, 100.01, ridge) - solve_tau(eigenvalues, 99.99, ridge)) / 0.02
    assert slope == pytest.approx(-found.effective_ridge / found.free_samples, rel=1e-6)


def test_equal_eigenvalues_are_solved_exactly() -> None:
    found = stats(np.full(50, 3.0), 20)
    assert found.effective_ridge == pytest.approx(3 * 30 / 20)
    assert found.overfitting == pytest.approx(0.4)
    assert np.allclose(found.unlearnt_fraction, 0.6)


def test_scale_and_order_change_nothing_else() -> None:
    generator = np.random.default_rng(0)
    eigenvalues = generator.random(80) + 0.01
    assert solve_tau(7 * eigenvalues, 30) == pytest.approx(7 * solve_tau(eigenvalues, 30))
    assert solve_tau(generator.permutation(eigenvalues), 30) == pytest.approx(solve_tau(eigenvalues, 30))


def test_many_sample_sizes_are_one_solve() -> None:
    eigenvalues = np.arange(1.0, 201) ** -2.0
    sizes = np.array([3.0, 50.0, 199.9])
    assert np.allclose(solve_taus(eigenvalues, sizes), [solve_tau(eigenvalues, n) for n in sizes], rtol=1e-9)


def test_spectra_over_hundreds_of_decades_are_solved() -> None:
    eigenvalues = np.exp(-np.minimum(np.arange(5000.0), 600))
    for samples in (5, 100, 599, 4900):
        found = stats(eigenvalues, samples)
        assert found.effective_ridge > 0 and np.isfinite(found.noise_amplification)


def test_weights_are_multiplicities() -> None:
    eigenvalues = np.array([1.0, 0.1])
    repeated = np.repeat(eigenvalues, [3, 40])
    assert solve_tau(eigenvalues, 12, 0.1, np.array([3.0, 40.0])) == pytest.approx(solve_tau(repeated, 12, 0.1))


def test_compression_keeps_tau() -> None:
    eigenvalues = np.arange(1.0, 100_001) ** -1.8
    means, counts = compressed(eigenvalues)
    assert len(means) <= 4096 and counts.sum() == len(eigenvalues)
    assert solve_tau(means, 500, 0.0, counts) == pytest.approx(solve_tau(eigenvalues, 500), rel=1e-6)
    same, ones = compressed(eigenvalues[:100])
    assert same.tolist() == eigenvalues[:100].tolist() and ones.sum() == 100


@pytest.mark.parametrize("samples", [0, -1, 10, 11, float("nan")])
def test_a_size_that_leaves_nothing_to_interpolate_is_refused(samples: float) -> None:
    with pytest.raises(ParameterError, match="n_samples"):
        solve_tau(np.ones(10), samples)
