"""Every sampler against the law it should have: all short texts enumerated, and counts by dynamic programming."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma, polygamma
from scipy.stats import chi2, chi2_contingency

from theory.ccmc.mapping import tempered
from theory.ccmc.simulation import state as samplers_state
from theory.ccmc.simulation.cost import log_times
from theory.ccmc.simulation.positions import distance
from theory.ccmc.simulation.random_numbers import log_gamma_variate, repeats, streams, uniform
from theory.ccmc.simulation.sampling import (
    choose_method,
    expected_events,
    generate_text,
    simulate,
)
from theory.core.errors import Cancelled, DataError, ParameterError

Floats = npt.NDArray[np.float64]
MIXED = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.25, 0.45, 0.3]])
STICKY = np.array([[0.95, 0.03, 0.02], [0.3, 0.6, 0.1], [0.5, 0.1, 0.4]])
WITH_ZEROS = np.array([[0.0, 0.5, 0.5], [0.7, 0.3, 0.0], [0.0, 1.0, 0.0]])
CHAINS = {"mixed": MIXED, "sticky": STICKY, "zeros": WITH_ZEROS}
PROMPT = np.array([0, 2, 0, 1, 0])
METHODS: Any = ("direct", "leap", "alias", "history_rejection")
CURES: dict[str, dict[str, Any]] = {
    "warm": {"output_temperature": 2.0},
    "cold": {"output_temperature": 0.5},
    "cap": {"count_cap": 2},
    "warm cap": {"output_temperature": 1.5, "count_cap": 3},
    "window": {"window": 4},
    "long window": {"window": 8},
    "recency": {"recency_exponent": 0.7},
    "harmonic recency": {"recency_exponent": 1.0},
    "steep recency": {"recency_exponent": 1.5},
    "recency in a window": {"recency_exponent": 0.7, "window": 4},
    "warm recency": {"recency_exponent": 0.7, "output_temperature": 2.0},
    "all": {"recency_exponent": 0.3, "output_temperature": 1.5, "window": 5, "count_cap": 2},
}
IMPROBABLE = 1e-4
"""Chance of a false alarm of one test; seeds are fixed."""


def law_of_next(transition: Floats, text: list[int], cures: dict[str, Any]) -> Floats:
    """The next-token law from its definition, by a loop over the context."""
    size, masses = len(transition), [0.0] * len(transition)
    for i, token in enumerate(text):
        d = len(text) - i
        if cures.get("window") is None or d <= cures["window"]:
            masses[token] += d ** -cures.get("recency_exponent", 0.0)
    capped = [min(mass, cures.get("count_cap") or np.inf) for mass in masses]
    weights = np.array(
        [(capped[j] * transition[text[-1], j]) ** (1 / cures.get("output_temperature", 1.0)) for j in range(size)]
    )
    return weights / weights.sum()


def probabilities(transition: Floats, prompt: Floats, steps: int, cures: dict[str, Any]) -> Floats:
    """Probability of every continuation of ``steps`` tokens, in the order of ``itertools.product``."""
    found: list[float] = []
    for tail in product(range(len(transition)), repeat=steps):
        text, probability = prompt.tolist(), 1.0
        for token in tail:
            probability *= law_of_next(transition, text, cures)[token] if probability else 0.0
            text.append(token)
        found.append(probability)
    return np.array(found)


def p_value(observed: Floats, expected: Floats) -> float:
    """Chi-square of counts against expected counts; cells that expect fewer than 5 are put together."""
    assert (observed[expected == 0] == 0).all()
    small = expected < 5
    cells = [np.append(table[~small], table[small].sum()) for table in (observed, expected)]
    kept = cells[1] > 0
    statistic = ((cells[0] - cells[1])[kept] ** 2 / cells[1][kept]).sum()
    return float(chi2.sf(statistic, kept.sum() - 1))


def continuations(transition: Floats, steps: int, runs: int, block: int, **options: Any) -> Floats:
    """How often each continuation of the prompt was sampled, in the order of ``itertools.product``."""
    times = len(PROMPT) + np.arange(1, steps + 1)
    seeds = [(block, run) for run in range(runs)]
    last = simulate(transition, PROMPT, int(times[-1]), seeds, times=times, **options).last
    size = len(transition)
    return np.bincount(last @ size ** np.arange(steps)[::-1], minlength=size**steps).astype(float)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("chain", CHAINS)
def test_every_method_has_the_law_of_all_short_texts(chain: str, method: Any) -> None:
    runs = 20_000
    exact = probabilities(CHAINS[chain], PROMPT, 6, {})
    assert exact.sum() == pytest.approx(1, abs=1e-12)
    observed = continuations(CHAINS[chain], 6, runs, 1, method=method)
    assert p_value(observed, runs * exact) > IMPROBABLE


@pytest.mark.parametrize("chain", CHAINS)
def test_law_when_every_run_of_repeats_leaps(chain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samplers_state, "LEAP_BELOW", samplers_state.LEAP_ALWAYS)
    observed = continuations(CHAINS[chain], 6, 20_000, 2, method="leap")
    assert p_value(observed, 20_000 * probabilities(CHAINS[chain], PROMPT, 6, {})) > IMPROBABLE


@pytest.mark.parametrize("name", CURES)
def test_cures_have_the_law_of_all_short_texts(name: str) -> None:
    runs = 20_000
    exact = probabilities(MIXED, PROMPT, 5, CURES[name])
    assert p_value(continuations(MIXED, 5, runs, 3, **CURES[name]), runs * exact) > IMPROBABLE


def counts_law(transition: Floats, n0: int, n1: int, last: int, generated: int) -> Floats:
    """Law of the number of tokens 0 among two after ``generated`` more tokens, forward over (N_0, last)."""
    law = {(n0, last): 1.0}
    for done in range(generated):
        after: dict[tuple[int, int], float] = {}
        for (zeros, token), probability in law.items():
            weights = np.array([zeros, n0 + n1 + done - zeros]) * transition[token]
            for j in (0, 1):
                key = (zeros + (j == 0), j)
                after[key] = after.get(key, 0.0) + probability * weights[j] / weights.sum()
        law = after
    table = np.zeros(generated + 1)
    for (zeros, _), probability in law.items():
        table[zeros - n0] += probability
    return table


@pytest.mark.parametrize("n_tokens", [5, 50, 200])
@pytest.mark.parametrize("method", METHODS)
def test_counts_of_two_tokens_have_the_exact_law(method: Any, n_tokens: int) -> None:
    transition, runs = np.array([[0.8, 0.2], [0.35, 0.65]]), 20_000
    seeds = [(4, n_tokens, run) for run in range(runs)]
    found = simulate(transition, np.array([1, 0]), n_tokens, seeds, method=method).counts[:, -1, 0]
    observed = np.bincount(found.astype(int) - 1, minlength=n_tokens - 1).astype(float)
    assert p_value(observed, runs * counts_law(transition, 1, 1, 0, n_tokens - 2)) > IMPROBABLE


@pytest.mark.parametrize("n_tokens", [50, 2000])
def test_leap_agrees_with_direct(n_tokens: int) -> None:
    seeds = [(5, run) for run in range(10_000)]
    tables: list[Floats] = []
    for method in ("direct", "leap"):
        text = simulate(STICKY, np.array([0, 1, 2]), n_tokens, seeds, method=method)
        cells = np.floor(np.log2(text.counts[:, -1]))  # octaves of each count
        tables.append(cells @ [1, 20, 400])
    values = np.unique(np.concatenate(tables))
    table = np.array([[(part == value).sum() for value in values] for part in tables])
    rare = table.sum(axis=0) < 20
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    assert chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue > IMPROBABLE


def test_recency_of_long_contexts_agrees_with_the_sum_over_positions() -> None:
    runs, n_tokens = 4000, 300
    seeds = [(6, run) for run in range(runs)]
    fast = simulate(MIXED, PROMPT, n_tokens, seeds, recency_exponent=0.6)
    slow = simulate(MIXED, PROMPT, n_tokens, seeds, recency_exponent=0.6, count_cap=10**9)
    assert (fast.method, slow.method) == ("history_rejection", "window")
    edges = np.quantile(slow.counts[:, -1, 0], np.linspace(0, 1, 11)[1:-1])
    table = [np.bincount(np.searchsorted(edges, text.counts[:, -1, 0]), minlength=10) for text in (fast, slow)]
    assert chi2_contingency(np.array(table)).pvalue > IMPROBABLE


def test_rejection_falls_back_on_the_exact_law_when_nothing_is_accepted() -> None:
    # After token 0 only token 1 is likely, which hardly occurs: proposals are refused about 5000 times in a row.
    transition = np.array([[1e-4, 1 - 1e-4], [0.5, 0.5]])
    prompt = np.array([1] + [0] * 400)
    chance = (1 - 1e-4) / (1 - 1e-4 + 400e-4)
    for options in ({"method": "history_rejection"}, {"recency_exponent": 1e-9}):
        text = simulate(transition, prompt, 402, [(7, run) for run in range(4000)], **options)
        deviation = (text.last[:, -1] == 1).mean() - chance
        assert abs(deviation) < 4 * np.sqrt(chance * (1 - chance) / 4000)


@pytest.mark.parametrize("options", [{"method": method} for method in METHODS] + list(CURES.values()))
def test_a_run_depends_on_its_own_seed_only(options: Any) -> None:
    seeds: list[Any] = [(8, run) for run in range(5)]
    together = simulate(STICKY, PROMPT, 400, seeds, times=np.array([7, 100, 400]), transitions_counted=True, **options)
    for run, seed in enumerate(seeds):
        times = np.array([400.0]) if run % 2 else np.arange(6.0, 401)
        alone = simulate(STICKY, PROMPT, 400, [seed], times=times, transitions_counted=True, **options)
        np.testing.assert_array_equal(alone.counts[0, -1], together.counts[run, -1])
        np.testing.assert_array_equal(alone.moves[0, -1], together.moves[run, -1])  # pyright: ignore
        assert alone.last[0, -1] == together.last[run, -1]


def test_chunks_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [simulate(STICKY, PROMPT, 3000, [1, 2], method=method) for method in METHODS]
    monkeypatch.setattr(samplers_state, "CHUNK", 7)
    for method, expected in zip(METHODS, whole, strict=True):
        found = simulate(STICKY, PROMPT, 3000, [1, 2], method=method)
        np.testing.assert_array_equal(found.counts, expected.counts)
        np.testing.assert_array_equal(found.events, expected.events)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_books_balance_for_any_chain(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 19))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    transition = generator.dirichlet(np.full(size, data.draw(st.sampled_from([0.05, 0.3, 1.0, 20.0]))), size=size)
    prompt = np.concatenate([generator.integers(0, size, data.draw(st.integers(0, 9))), np.arange(size)])
    options: dict[str, Any] = data.draw(st.sampled_from([*CURES.values(), *({"method": method} for method in METHODS)]))
    n_tokens = len(prompt) + data.draw(st.integers(0, 300))
    text = simulate(transition, prompt, n_tokens, [0, 1, 2], transitions_counted=True, **options)
    assert text.moves is not None
    np.testing.assert_array_equal(text.counts.sum(axis=2), np.broadcast_to(text.times, (3, len(text.times))))
    np.testing.assert_array_equal(text.moves.sum(axis=(2, 3)), text.counts.sum(axis=2) - len(prompt))
    written = text.counts - np.bincount(prompt, minlength=size)
    np.testing.assert_array_equal(text.moves.sum(axis=2), written)
    start, end = np.eye(size)[prompt[-1]], np.eye(size)[text.last]
    np.testing.assert_array_equal(text.moves.sum(axis=3), written + start - end)
    assert (np.diff(text.counts, axis=1) >= 0).all()
    assert (text.moves[:, -1][:, transition == 0] == 0).all()


def test_a_million_billion_tokens() -> None:
    transition, runs = np.tile([0.8, 0.15, 0.05], (3, 1)), 300
    seeds = [(9, run) for run in range(runs)]
    text = simulate(transition, np.array([0, 1, 2]), 10**15, seeds, transitions_counted=True)
    assert text.moves is not None
    assert (text.counts.sum(axis=2) == text.times).all()
    assert (text.moves.sum(axis=(2, 3)) == text.times - 3).all()
    assert text.method == "leap" and text.events.max() < 1e5
    # Identical rows: N_1 ~ n^theta G_1/G_0^theta, theta = p_1/p_0, with independent G ~ Exp(1), whose E log is -gamma.
    # N_1 is about 650 here: beyond the sampling error, log N_1 may differ by some 1/N_1, 0.05 for the smallest.
    theta, logs = 0.15 / 0.8, np.log(text.counts[:, -1, 1])
    predicted = -np.euler_gamma + theta * (np.log(1e15) + np.euler_gamma)
    assert abs(logs.mean() - predicted) < 4 * logs.std() / np.sqrt(runs) + 0.05


def test_text_is_the_run_of_its_seed() -> None:
    for cures in ({}, *CURES.values()):
        written = generate_text(STICKY, PROMPT, 5000, 11, **cures)
        method: Any = "auto" if cures else "direct"
        text = simulate(STICKY, PROMPT, 5000, [11], method=method, **cures)
        np.testing.assert_array_equal(np.bincount(written, minlength=3), text.counts[0, -1])
        np.testing.assert_array_equal(written[:5], PROMPT)
    assert generate_text(STICKY, PROMPT, 5, 0).tolist() == PROMPT.tolist()


def test_window_fixes_at_the_time_that_it_says() -> None:
    found = simulate(MIXED, PROMPT, 10**12, range(50), window=4)
    assert found.fixed_at is not None
    for seed in range(50):
        text = generate_text(MIXED, PROMPT, int(found.fixed_at[seed]) + 20, seed, window=4)
        alone = [n for n in range(4, len(text) + 1) if len(set(text[n - 4 : n].tolist())) == 1]
        assert alone[0] == found.fixed_at[seed] and (text[alone[0] :] == text[-1]).all()


def test_random_numbers_have_their_laws() -> None:
    state = streams([12])[0]
    numbers = np.array([uniform(state) for _ in range(20_000)])
    assert numbers.min() > 0 and numbers.max() < 1 and abs(numbers.mean() - 0.5) < 4 / np.sqrt(12 * 20_000)
    for shape in (1e-3, 0.4, 1.0, 7.5, 1e15):
        logs = np.array([log_gamma_variate(state, shape) for _ in range(20_000)])
        assert abs(logs.mean() - digamma(shape)) < 4 * np.sqrt(polygamma(1, shape) / 20_000) + 1e-14 * abs(
            digamma(shape)
        )
    assert repeats(state, 5.0, 0.0) == np.inf and repeats(state, 1e15, 1e-300) == np.inf
    assert all(repeats(state, 1.0, 1e300) == 0 for _ in range(100))


@pytest.mark.parametrize("decay", [0.0, 0.3, 1.0, 1.5])
@pytest.mark.parametrize("furthest", [1, 2, 3, 40])
def test_distances_have_the_power_law(decay: float, furthest: int) -> None:
    state = streams([(13, furthest)])[0]
    draws = np.bincount([distance(state, float(furthest), decay) for _ in range(20_000)], minlength=furthest + 1)[1:]
    weights = np.arange(1.0, furthest + 1) ** -decay
    assert len(draws) == furthest
    assert furthest == 1 or p_value(draws.astype(float), 20_000 * weights / weights.sum()) > IMPROBABLE


def test_seeds_are_told_apart() -> None:
    seeds: list[Any] = [0, 1, (0,), (1,), (0, 0), (0, 1), (1, 0), (0, 0, 0), 2**63, 2**64 - 1]
    states = [tuple(row) for row in streams(seeds).tolist()]
    assert states[0] == states[2] and states[1] == states[3]
    assert len(set(states)) == len(seeds) - 2
    assert [tuple(streams([seed])[0].tolist()) for seed in seeds] == states


def test_methods_are_chosen_for_the_regime() -> None:
    generator = np.random.default_rng(0)
    mixed = generator.uniform(0.5, 1.5, (100, 100)) * (1 - 0.9 * np.eye(100))
    mixed /= mixed.sum(axis=1, keepdims=True)
    prompt = np.arange(100)
    assert choose_method(mixed, prompt, 1_000_000) == "alias"
    assert choose_method(np.tile(mixed[0] ** 9 / (mixed[0] ** 9).sum(), (100, 1)), prompt, 10**15) == "leap"
    assert choose_method(MIXED, PROMPT, 1000) == "leap"
    for name, method in (("warm", "direct"), ("cap", "direct"), ("window", "window"), ("recency", "history_rejection")):
        assert choose_method(MIXED, PROMPT, 1000, **CURES[name]) == method
    assert choose_method(MIXED, PROMPT, 1000, **CURES["warm recency"]) == "window"


def test_steps_are_foreseen() -> None:
    """Within a factor of four: bistable chains and slow powers leave no more to a short pilot."""
    slow = np.tile([0.6, 0.4], (2, 1))  # switches grow as n^(2/3)
    for transition, n_tokens in ((MIXED, 10**6), (slow, 10**7)):
        prompt = np.arange(len(transition))
        taken = simulate(transition, prompt, n_tokens, range(20)).events.mean()
        assert taken / 4 < expected_events(transition, prompt, n_tokens) < 4 * taken
    assert expected_events(MIXED, PROMPT, 10**6, output_temperature=2.0) == 10**6 - len(PROMPT)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_tokens": 10**16}, "n_tokens"),
        ({"n_tokens": 4}, "n_tokens"),
        ({"n_tokens": 10**15}, "n_tokens.*keeps switching"),
        ({"n_tokens": 10**15, "method": "direct"}, "n_tokens.*one by one"),
        ({"n_tokens": 10**15, "output_temperature": 2.0}, "n_tokens.*at most about"),
        ({"n_tokens": 10**9, "recency_exponent": 0.5}, "n_tokens.*at most"),
        ({"n_tokens": 10**7, "recency_exponent": 0.5, "count_cap": 3}, "n_tokens.*at most about"),
        ({"n_tokens": 10**15, "window": 1000}, "n_tokens.*window"),
        ({"times": [3, 50]}, "times"),
        ({"times": [50, 20]}, "times"),
        ({"times": []}, "times"),
        ({"times": [20, np.nan]}, "times"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [-1]}, "seeds"),
        ({"seeds": [()]}, "seeds"),
        ({"seeds": [2**64]}, "seeds"),
        ({"method": "magic"}, "method"),
        ({"method": "leap", "count_cap": 3}, "method"),
        ({"method": "direct", "window": 3}, "method"),
        ({"output_temperature": 0.0}, "output_temperature"),
        ({"output_temperature": np.nan}, "output_temperature"),
        ({"count_cap": 0}, "count_cap"),
        ({"window": 1}, "window"),
        ({"recency_exponent": -0.5}, "recency_exponent"),
    ],
)
def test_bad_parameters_are_named(change: dict[str, Any], words: str) -> None:
    given_values: dict[str, Any] = {"transition": MIXED, "prompt": PROMPT, "n_tokens": 100, "seeds": [0], **change}
    with pytest.raises(ParameterError, match=words):
        simulate(**given_values)


def test_bad_chains_are_refused_by_row() -> None:
    with pytest.raises(DataError, match="row 1 of P sums"):
        simulate(np.array([[0.5, 0.5], [0.5, 0.4]]), np.array([0, 1]), 10, [0])
    with pytest.raises(DataError, match="prompt is empty"):
        simulate(MIXED, np.array([], dtype=np.int64), 10, [0])
    with pytest.raises(DataError, match="position 0 has token 3"):
        simulate(MIXED, np.array([3]), 10, [0])
    dead = np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [0.4, 0.3, 0.3]])
    with pytest.raises(DataError, match="after token 1"):
        simulate(dead, np.array([1, 0]), 10, [0])
    assert simulate(dead, np.array([0, 2, 1]), 50, [0]).counts[0, -1].sum() == 50
    # In a window the token that must follow can be forgotten.
    with pytest.raises(DataError, match="after token 1"):
        simulate(dead, np.array([2, 0, 0, 0, 1]), 50, [0], window=3)
    # A row that cannot be reached does no harm.
    assert simulate(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([1, 0]), 50, [0]).counts[0, -1].tolist() == [49, 1]


def test_runs_can_be_stopped() -> None:
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(Cancelled):
        simulate(MIXED, PROMPT, 10**9, [0], stop=stop)
    assert len(asked) == 3
    told: list[float] = []
    simulate(MIXED, PROMPT, 10**6, range(5), progress=told.append)
    assert told == sorted(told) and told[-1] == 1


def test_helpers() -> None:
    assert log_times(5, 5, 60).tolist() == [5] and log_times(3, 10**15, 60)[-1] == 10**15
    assert len(log_times(2, 10**9, 60)) <= 60
    cold = tempered(WITH_ZEROS, 0.25)
    assert (cold[WITH_ZEROS == 0] == 0).all()
    np.testing.assert_allclose(cold.sum(axis=1), 1)
    np.testing.assert_allclose(tempered(MIXED, 1.0), MIXED)
    with pytest.raises(ParameterError, match="attention_temperature"):
        tempered(MIXED, 0.0)
