"""Cures of repetition: balances, fixation and recency exponents against brute force and known values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import beta

from theory.ccmc.cures import balance, left_of_start, recency_growth, stationary_law
from theory.ccmc.window_fixation import fixation, longest_neutral_time, neutral_fixation
from theory.core import catalog
from theory.core.errors import ParameterError

Floats = npt.NDArray[np.float64]


def random_chain(seed: int, size: int, concentration: float = 1.0) -> Floats:
    return np.random.default_rng(seed).dirichlet(np.full(size, concentration), size=size)


def slow_law(transition: Floats, shares: Floats, temperature: float) -> Floats:
    """Stationary law of the last token while the shares stand still, by many steps of its chain."""
    weights = (shares * transition) ** (1 / temperature)
    return np.linalg.matrix_power(weights / weights.sum(axis=1, keepdims=True), 512)[0]


@pytest.mark.parametrize("temperature", [1.3, 2.0, 3.5])
@pytest.mark.parametrize("size", [2, 3])
def test_balance_is_where_the_mean_field_ends(size: int, temperature: float) -> None:
    transition = random_chain(size, size)
    found = balance(transition, temperature)
    assert found.unique
    counts, logs, distances = np.arange(1.0, size + 1), list[float](), list[float]()
    for _ in range(1000):
        total = counts.sum()
        logs.append(float(np.log(total)))
        distances.append(float(np.abs(counts / total - found.shares).max()))
        counts = counts + 0.02 * total * slow_law(transition, counts / total, temperature)
    assert distances[-1] < 20 * np.exp(-found.rate * (logs[-1] - logs[0]))
    if size == 2:  # with a single mode the rate is seen exactly
        rate = -np.log(distances[600] / distances[400]) / (logs[600] - logs[400])
        assert rate == pytest.approx(found.rate, rel=0.02)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 8), temperature=st.floats(1.05, 4.0))
def test_equal_rows_in_closed_form(seed: int, size: int, temperature: float) -> None:
    law = random_chain(seed, size)[0]
    found = balance(np.tile(law, (size, 1)), temperature)
    expected = (law / law.max()) ** (1 / (temperature - 1))
    assert found.shares == pytest.approx(expected / expected.sum(), abs=1e-8)
    assert found.unique
    assert found.rate == pytest.approx(1 - 1 / temperature, abs=1e-5)


def test_two_habits_have_two_balances_near_temperature_one() -> None:
    habits = np.array([[0.9, 0.1], [0.1, 0.9]])
    assert not balance(habits, 1.05).unique
    assert balance(habits, 4.0).unique


@pytest.mark.parametrize("temperature", [1.0, 0.5, -1.0])
def test_no_balance_without_heat(temperature: float) -> None:
    with pytest.raises(ParameterError, match="output_temperature"):
        balance(np.full((2, 2), 0.5), temperature)


def test_what_is_left_of_the_start_fades() -> None:
    law = np.tile([0.6, 0.3, 0.1], (3, 1))
    left = [left_of_start(law, 2.0, np.array([1, 1, 1]), n_tokens) for n_tokens in (3, 1e2, 1e4, 1e6)]
    assert np.all(np.diff(left) < 0)
    assert left[2] / left[3] == pytest.approx(10, rel=0.1)  # n^-(1 - 1/T_o)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 8))
def test_stationary_law_is_invariant(seed: int, size: int) -> None:
    transition = random_chain(seed, size)
    law = stationary_law(transition)
    assert law @ transition == pytest.approx(law, abs=1e-12)
    assert law.sum() == pytest.approx(1)


def slow_fixation(transition: Floats, window: list[int], runs: int, seed: int) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    wins, times = np.zeros(len(transition)), np.zeros(runs)
    for run in range(runs):
        text = list(window)
        while len(set(text)) > 1:
            weights = np.bincount(text, minlength=len(transition)) * transition[text[-1]]
            token = int(np.searchsorted(np.cumsum(weights), generator.random() * weights.sum()))
            text = [*text[1:], token]
            times[run] += 1
        wins[text[0]] += 1
    return wins / runs, times


@pytest.mark.parametrize("seed", range(4))
def test_fixation_against_simulation(seed: int) -> None:
    size = 2 + seed % 2
    transition = random_chain(seed, size, 2.0)
    window = [0, 0, 1, size - 1]
    found = fixation(transition, np.array(window))
    chance, times = slow_fixation(transition, window, 3000, seed)
    assert np.abs(chance - found.chance).max() < 4 * 0.5 / np.sqrt(3000)
    assert times.mean() == pytest.approx(found.mean_time, abs=4 * found.time_spread / np.sqrt(3000))
    assert times.std() == pytest.approx(found.time_spread, rel=0.2)
    assert found.longest_mean >= found.mean_time


@settings(max_examples=40, deadline=None)
@given(size=st.integers(2, 3), data=st.data())
def test_neutral_fixation_agrees_with_the_exact_solution(size: int, data: st.DataObject) -> None:
    window = np.array(data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=7)))
    exact = fixation(np.full((size, size), 1 / size), window)
    assert neutral_fixation(window, size) == pytest.approx(exact.chance, abs=1e-9)


@pytest.mark.parametrize(("size", "width"), [(2, 3), (2, 8), (2, 12), (3, 7), (4, 6)])
def test_neutral_times_stay_below_their_bound(size: int, width: int) -> None:
    longest = fixation(np.full((size, size), 1 / size), np.zeros(width, dtype=np.int64)).longest_mean
    assert longest <= longest_neutral_time(width, size)


def test_fixation_of_large_windows_is_refused() -> None:
    with pytest.raises(ParameterError, match="at most 12"):
        fixation(np.full((2, 2), 0.5), np.zeros(13, dtype=np.int64))


@pytest.mark.parametrize(("theta", "recency"), [(0.2, 0.1), (0.5, 0.5), (0.9, 0.3), (0.3, 0.95)])
def test_recency_growth_solves_the_integral_equation(theta: float, recency: float) -> None:
    eta = recency_growth(theta, recency)
    # dN = eta x^(eta - 1) dx seen with weights (n - x)^-s at n = 1, against the winner's dx.
    seen = eta * beta(1 - recency, eta) / beta(1 - recency, 1)
    assert theta * seen == pytest.approx(eta, rel=1e-9)


def test_recency_growth_at_known_points() -> None:
    for theta, recency, growth in ((0.5, 0.5, 0.357), (0.5, 0.8, 0.182), (0.3, 0.3, 0.238)):
        assert recency_growth(theta, recency) == pytest.approx(growth, abs=5e-4)
    assert [recency_growth(theta, 0.4) for theta in (0.0, 1.0, 1.7)] == [0, 1, 1]
    falling = [recency_growth(0.6, s) for s in (0.0, 0.3, 0.6, 0.9, 0.999)]
    assert np.all(np.diff(falling) < 0)
    assert falling[-1] < 0.002
    for recency in (1.0, -0.1):
        with pytest.raises(ParameterError, match="recency_exponent"):
            recency_growth(0.5, recency)


OUTSIDE = [
    ("output-temperature-cure", {"output_temperature": 1.0}, "output temperature above 1"),
    ("output-temperature-cure", {"output_temperature": 0.7}, "output temperature above 1"),
    ("output-temperature-cure", {"output_temperature": 1.05}, "balance reached"),
    ("output-temperature-cure", {"initial_counts": (3, 1, 0)}, "every token in the prompt"),
    ("output-temperature-cure", {"window": 10}, "plain generation"),
    ("attention-temperature-no-cure", {"output_temperature": 2.0}, "plain generation"),
    (
        "attention-temperature-no-cure",
        {"transition": ((0.2, 0.7, 0.1), (0.7, 0.2, 0.1), (0.4, 0.4, 0.2))},
        "single winners",
    ),
    ("attention-temperature-no-cure", {"top_probability": 0.5, "vocab_size": 2}, "single winners"),
    ("count-cap-base-chain", {"count_cap": None}, "a count cap"),
    ("count-cap-base-chain", {"count_cap": 1000}, "long enough text"),
    ("count-cap-base-chain", {"recency_exponent": 0.5}, "plain generation"),
    ("window-fixation", {"window": None}, "a window"),
    ("window-fixation", {"window": 8}, "a full window"),
    ("window-fixation", {"n_tokens": 100}, "time to fix"),
    ("window-fixation", {"transition": ((0.05, 0.95), (0.95, 0.05)), "window": 7}, "time to fix"),
    ("window-fixation", {"prompt": (0, 1) * 10, "window": 20, "chain": "two_tokens"}, "neutral or small"),
    ("recency-exponent", {"recency_exponent": 1.0}, "long memory"),
    ("recency-exponent", {"recency_exponent": 1.5}, "long memory"),
    ("recency-exponent", {"chain": "two_tokens"}, "identical rows"),
    ("recency-exponent", {"top_probability": 0.5}, "a unique maximum"),
    ("recency-exponent", {"count_cap": 3}, "plain generation"),
    ("recency-exponent", {"n_tokens": 500}, "some countable loser"),
]


@pytest.mark.parametrize(("claim_id", "values", "expected"), OUTSIDE)
def test_outside_its_assumptions_a_claim_says_so(claim_id: str, values: dict[str, Any], expected: str) -> None:
    claim = catalog.claim(claim_id)
    params: Any = catalog.parameters(claim, values)
    problem = catalog.room_of(claim).draw(params, 0)
    broken = [assumption.name for assumption in claim.assumptions(params, problem) if not assumption.holds]
    assert expected in broken
    for variable in claim.predict(params, problem).data_vars.values():
        assert variable.dtype.kind != "f" or not np.isnan(variable.values).any()


def test_defaults_are_inside_the_assumptions() -> None:
    for claim_id in sorted({claim_id for claim_id, _, _ in OUTSIDE}):
        claim = catalog.claim(claim_id)
        params: Any = catalog.parameters(claim)
        assumptions = claim.assumptions(params, catalog.room_of(claim).draw(params, 0))
        assert all(assumption.holds for assumption in assumptions), claim_id
