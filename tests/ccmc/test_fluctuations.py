"""The central limit theorem's covariance: closed forms, long direct sums, and a direct simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.ccmc import flow
from theory.ccmc.fluctuations import (
    fundamental_matrix,
    limit_covariance,
    long_run_covariance,
    share_covariance,
    two_token_variance,
)
from theory.ccmc.winners import winner_sets
from theory.core.errors import DataError

THREE = np.array([[0.1, 0.7, 0.2], [0.15, 0.05, 0.8], [0.75, 0.2, 0.05]])


def two_tokens(first: float, second: float) -> np.ndarray:
    return np.array([[first / (1 + first), 1 / (1 + first)], [1 / (1 + second), second / (1 + second)]])


@settings(max_examples=40, deadline=None)
@given(first=st.floats(0.02, 0.9), second=st.floats(0.02, 0.9))
def test_two_tokens_solve_the_lyapunov_equation(first: float, second: float) -> None:
    transition = two_tokens(first, second)
    found = winner_sets(transition)
    if found.relaxation[0] > -0.52:
        return
    covariance = share_covariance(transition, found.shares[0], found.rates[0])
    value = two_token_variance(transition)
    assert covariance == pytest.approx(value * np.array([[1, -1], [-1, 1]]), rel=1e-6)


def test_numbers_for_three_tokens() -> None:
    found = winner_sets(THREE)
    covariance = share_covariance(THREE, found.shares[0], found.rates[0])
    assert np.diag(covariance) == pytest.approx([0.404, 0.249, 0.226], abs=1e-3)
    assert covariance.sum(axis=1) == pytest.approx(0, abs=1e-12)


def test_long_run_covariance_sums_the_autocovariances() -> None:
    shares = np.array([0.5, 0.3, 0.2])
    law, chain = flow.last_token_shares(THREE, shares), flow.fast_chain(THREE, shares)
    total, power = np.diag(law) - np.outer(law, law), np.eye(3)
    excess = np.eye(3) - law
    for _ in range(400):
        power = power @ chain
        lagged = law[:, None] * power - np.outer(law, law)
        total, excess = total + lagged + lagged.T, excess + power - law
    assert long_run_covariance(THREE, shares) == pytest.approx(total)
    assert fundamental_matrix(THREE, shares) == pytest.approx(excess)


def test_a_simulation_with_its_own_loop_agrees() -> None:
    """2000 texts of 2000 tokens at once; λ = −9/11, so that the prompt adds about (2/2000)^0.64 = 1 %."""
    transition, runs, tokens = two_tokens(0.1, 0.1), 2000, 2000
    generator = np.random.default_rng(5)
    counts, last = np.ones((runs, 2)), np.zeros(runs, dtype=int)
    for _ in range(tokens - 2):
        weights = counts * transition[last]
        last = (generator.random(runs) * weights.sum(axis=1) >= weights[:, 0]).astype(int)
        counts[np.arange(runs), last] += 1
    squares = tokens * (counts[:, 0] / tokens - 0.5) ** 2 / two_token_variance(transition)
    assert abs(squares.mean() - 1) < 4 * squares.std() / np.sqrt(runs) + 0.06


def test_slow_mixtures_have_no_gaussian_limit() -> None:
    transition = two_tokens(0.5, 0.5)  # λ = −1/3
    found = winner_sets(transition)
    assert two_token_variance(transition) == np.inf
    with pytest.raises(DataError, match="below −1/2"):
        share_covariance(transition, found.shares[0], found.rates[0])


def test_a_point_that_is_not_mixed_is_refused() -> None:
    with pytest.raises(DataError, match="below 1"):
        two_token_variance(two_tokens(2.0, 0.5))


def test_limit_covariance_solves_its_equation() -> None:
    generator = np.random.default_rng(1)
    basis = np.linalg.qr(np.column_stack([np.ones(4), generator.standard_normal((4, 3))]))[0][:, 1:]
    drift = basis @ (-np.eye(3) + 0.1 * generator.standard_normal((3, 3))) @ basis.T
    root = basis @ generator.standard_normal((3, 3))
    found = limit_covariance(drift, root @ root.T)
    shifted = drift + np.eye(4) / 2
    assert shifted @ found + found @ shifted.T == pytest.approx(-root @ root.T)
