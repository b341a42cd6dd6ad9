"""Yule processes: the limit law of the counts when all rows of P are equal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

from theory.ccmc import identical_rows as theory


def test_exponents_and_means_by_hand() -> None:
    law = np.array([0.7, 0.3])
    assert theory.exponents(law) == pytest.approx([1, 3 / 7])
    assert theory.mean_log_prefactor(law, np.array([1.0, 1.0]))[1] == pytest.approx(-0.330, abs=1e-3)
    assert theory.mean_log_prefactor(law, np.array([3.0, 2.0]))[1] == pytest.approx(0.027, abs=1e-3)
    assert theory.mean_log_prefactor(np.array([0.8, 0.2]), np.ones(2))[1] == pytest.approx(-0.433, abs=1e-3)


def test_tied_tokens_share_like_a_polya_urn() -> None:
    law, counts = np.full(3, 1 / 3), np.array([2.0, 1.0, 1.0])
    assert theory.winners(law).all()
    assert theory.mean_log_prefactor(law, counts) == pytest.approx(digamma(counts) - digamma(4))
    # One token of three, starting with 1 of 4: its share has density 3 (1 - x)^2.
    assert theory.log_prefactor_cdf(law, counts, 1, np.log([0.25, 0.5])) == pytest.approx([1 - 0.75**3, 1 - 0.5**3])


@settings(max_examples=15, deadline=None)
@given(weights=st.lists(st.floats(0.1, 1), min_size=2, max_size=4), seed=st.integers(0, 100), tied=st.booleans())
def test_the_limit_law_agrees_with_its_draws(weights: list[float], seed: int, tied: bool) -> None:
    law = np.array(weights)
    if tied:
        law[1] = law[0] = law.max()
    law /= law.sum()
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 5, len(law)).astype(float)
    draws = theory.sample_log_prefactors(law, counts, 40_000, generator)
    spread = draws.std(axis=0)
    assert (np.abs(draws.mean(axis=0) - theory.mean_log_prefactor(law, counts)) <= 5 * spread / 200 + 1e-12).all()
    for token in range(len(law)):
        values = np.quantile(draws[:, token], [0.1, 0.5, 0.9])
        if spread[token] > 0:
            assert theory.log_prefactor_cdf(law, counts, token, values) == pytest.approx([0.1, 0.5, 0.9], abs=0.015)


def test_draws_are_limits_of_real_yule_processes() -> None:
    """Births one by one, in continuous time: counts at the moment when there are 3000 tokens."""
    law, start, total = np.array([0.6, 0.4]), np.array([1, 2]), 3000
    generator, runs = np.random.default_rng(2), 400
    found = np.empty(runs)
    for run in range(runs):
        times = [
            np.cumsum(generator.exponential(1 / (p * np.arange(n, total)))) for p, n in zip(law, start, strict=True)
        ]
        moment = np.sort(np.concatenate(times))[total - start.sum() - 1]
        found[run] = np.log(start[1] + np.searchsorted(times[1], moment, side="right")) - 2 / 3 * np.log(total)
    expected = theory.mean_log_prefactor(law, start.astype(float))[1]
    slack = theory.finite_size_error(law, start.astype(float), total)[1]
    assert abs(found.mean() - expected) < 4 * found.std() / np.sqrt(runs) + slack


@pytest.mark.parametrize("mean", [2.0, 5.0, 30.0, 400.0])
def test_whole_counts_cost_less_than_the_bound(mean: float) -> None:
    """E log of a geometric count against that of its exponential limit, summed exactly."""
    q = 1 / mean
    numbers = np.arange(1, int(60 * mean))
    exact = float(np.sum(np.log(numbers) * q * (1 - q) ** (numbers - 1)))
    gap = abs(exact - (digamma(1) - np.log(q)))
    assert gap <= q * (1 + np.log(1 / q) / 2)


def test_the_finite_size_error_falls_with_the_text() -> None:
    law, counts = np.array([0.65, 0.23, 0.12]), np.ones(3)
    errors = np.array([theory.finite_size_error(law, counts, n) for n in (1e4, 1e6, 1e8, 1e10)])
    assert (np.diff(errors, axis=0) < 0).all()
