"""The choice-model fit against generic optimisers and closed forms."""

from __future__ import annotations

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.sparse import csr_array

from theory.core.errors import DataError
from theory.shared.choice import estimation_variance, fisher_information, fit_choice, nonzero_spectrum


def _random_choices(seed: int, n: int = 60, m: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 3, size=(n, m))
    chosen = rng.integers(m, size=n)
    counts[np.arange(n), chosen] += 1
    return counts, chosen, rng.integers(1, 4, size=n)


def _loss(scores: np.ndarray, counts: np.ndarray, chosen: np.ndarray, multiplicity: np.ndarray) -> float:
    mass = counts * np.exp(scores)
    chances = mass[np.arange(len(chosen)), chosen] / mass.sum(axis=1)
    return float(-multiplicity @ np.log(chances))


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_a_generic_optimiser(seed: int) -> None:
    data = _random_choices(seed)
    fit = fit_choice(*data)
    generic = minimize(_loss, np.zeros(5), args=data, method="BFGS", options={"gtol": 1e-7}).x
    np.testing.assert_allclose(fit.scores, generic - generic.mean(), atol=1e-6)
    assert fit.loss == pytest.approx(_loss(fit.scores, *data), rel=1e-12)
    assert fit.converged and fit.gradient_norm < 1e-12 * data[2].sum()
    np.testing.assert_allclose(fit_choice(csr_array(data[0]), *data[1:]).scores, fit.scores, atol=1e-13)


def test_agrees_with_choix_without_repeats() -> None:
    rng = np.random.default_rng(3)
    sets = [rng.permutation(6)[:3].tolist() for _ in range(80)]
    counts = np.zeros((80, 6))
    for row, items in enumerate(sets):
        counts[row, items] = 1
    chosen = np.array([items[0] for items in sets])
    reference = choix.opt_top1(6, [(items[0], items[1:]) for items in sets], tol=1e-10)
    np.testing.assert_allclose(fit_choice(counts, chosen).scores, reference - reference.mean(), atol=1e-6)


def test_repeating_an_item_shifts_its_score_by_the_log_of_its_count() -> None:
    counts = np.array([[3.0, 1.0]] * 5)
    scores = fit_choice(counts, np.array([0, 0, 0, 1, 1])).scores
    assert scores[0] - scores[1] == pytest.approx(np.log(3 / 2 / 3))


def test_a_long_cycle_of_rare_contradictions_has_large_finite_scores() -> None:
    m, often = 60, 10**9
    counts = np.zeros((m, m))
    counts[np.arange(m - 1), np.arange(m - 1)] = counts[np.arange(m - 1), np.arange(1, m)] = 1
    counts[m - 1] = counts[m - 1] + np.eye(m)[[0, m - 1]].sum(axis=0)
    chosen = np.append(np.arange(m - 1), m - 1)
    fit = fit_choice(counts, chosen, np.append(np.full(m - 1, often), 1))
    assert fit.exists and np.isfinite(fit.scores).all() and np.ptp(fit.scores) > 15


def test_large_problems_take_the_matrix_free_path_to_the_same_accuracy() -> None:
    rng = np.random.default_rng(0)
    n, m = 12_000, 600
    items = rng.integers(m, size=(n, 3))
    counts = csr_array((np.ones(3 * n), (np.repeat(np.arange(n), 3), items.ravel())), shape=(n, m))
    chosen = items[np.arange(n), rng.integers(3, size=n)]
    fit = fit_choice(counts, chosen)
    assert fit.exists and fit.converged
    mass = counts.toarray() * np.exp(fit.scores)
    gradient = (mass / mass.sum(axis=1, keepdims=True)).sum(axis=0) - np.bincount(chosen, minlength=m)
    assert np.abs(gradient).max() < 1e-12 * n


def test_says_when_the_estimate_is_infinite() -> None:
    fit = fit_choice(np.ones((3, 2)), np.array([0, 0, 0]))
    assert not fit.exists and np.isnan(fit.scores).all()


def test_a_choice_outside_its_set_is_refused() -> None:
    with pytest.raises(DataError, match="row 1: item 1 was chosen") as caught:
        fit_choice(np.array([[1, 1], [1, 0]]), np.array([0, 1]))
    assert caught.value.code == "choice_not_in_set"


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_information_is_the_hessian_of_the_loss(seed: int) -> None:
    data = _random_choices(seed, n=12, m=4)
    scores = np.random.default_rng(seed).normal(size=4)
    information = fisher_information(data[0], scores, data[2])
    step, unit = 1e-4, np.eye(4)
    numeric = [
        [
            sum(a * b * _loss(scores + step * (a * unit[i] + b * unit[j]), *data) for a in (1, -1) for b in (1, -1))
            / (4 * step**2)
            for j in range(4)
        ]
        for i in range(4)
    ]
    np.testing.assert_allclose(information, numeric, atol=1e-4 * data[2].sum())
    spectrum = np.linalg.eigvalsh(information)
    np.testing.assert_allclose(nonzero_spectrum(information), spectrum[1:], atol=1e-9)
    pseudo = np.trace(np.linalg.pinv(information, rcond=1e-10, hermitian=True))
    assert estimation_variance(information) == pytest.approx(pseudo, rel=1e-6)
