"""The automaton against plain gradient descent, the worked ties, and generation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from tests.next_token.random_prompts import descend, problems, ranked, reachability, total_variation, unit_rows
from theory.core.errors import DataError, ParameterError
from theory.next_token.automaton import (
    all_test_prompts,
    automaton_next,
    automaton_tolerance,
    generate,
    losing_odds,
    slow_tie_gap,
    tie_distribution,
)
from theory.next_token.problem import Prompts, make_prompts
from theory.next_token.simulation.flow import log_time_flow, relaxed_flow
from theory.next_token.structure import compose


@given(problems)
@settings(max_examples=20)
def test_certificates_by_brute_force(prompts: Prompts) -> None:
    solution = compose(prompts)
    reach = reachability(prompts)
    random = np.random.default_rng(0)
    for _ in range(20):
        last = int(random.integers(prompts.vocab_size))
        prompt = (*random.integers(0, prompts.vocab_size, 3).tolist(), last)
        found = automaton_next(solution, prompt)
        present = np.unique(prompt)
        seen = [bool((prompts.counts()[prompts.last == last][:, token] > 0).any()) for token in present]
        tops = [i for i in present if all(i == j or reach[last, i, j] for j in present)]
        if last not in prompts.last:
            assert found.certificate == "no_data"
        elif not all(seen):
            assert found.certificate == "contains_unseen"
        elif tops:
            assert found.certificate == "comparable"
            assert sorted(tops) == sorted(found.detail.winners.tolist())
        else:
            assert found.certificate in ("decided_by_margin", "tie")
        assert found.distribution.sum() == pytest.approx(1)
        assert (found.distribution[np.setdiff1d(np.arange(prompts.vocab_size), present)] == 0).all()
    for row in range(prompts.n):
        found = automaton_next(solution, prompts.sequence(row))
        assert found.certificate == "comparable" and found.distribution[prompts.labels[row]] > 0


@pytest.mark.parametrize("seed", [2, 5, 8])
def test_trained_model_is_the_automaton(seed: int) -> None:
    prompts = ranked(seed)
    solution = compose(prompts)
    step_size = 2 * prompts.n / np.bincount(prompts.last).max()
    logits = descend(prompts, step_size, [20_000])[0]
    log_time = float(np.log(step_size * 20_000))
    judged = 0
    for last in np.unique(prompts.last).tolist():
        for prompt in all_test_prompts(prompts.vocab_size, last):
            found = automaton_next(solution, prompt)
            distance = total_variation(prompt, logits, found.distribution)
            tolerance = automaton_tolerance(solution, prompt, found, log_time)
            if found.certificate in ("comparable", "decided_by_margin"):
                judged += 1
                assert distance < tolerance
            if found.certificate == "comparable" and solution.strict_complementarity:
                assert distance < 1.5 * losing_odds(solution, prompt, found, log_time) + 0.01
    assert judged > 20


@pytest.mark.parametrize(
    ("votes", "prompt_a", "expected"), [((3, 1), [0, 2], 0.75), ((3, 1), [0, 0, 2], 0.6), ((5, 2), [0, 2], 5 / 7)]
)
def test_frequency_law(votes: tuple[int, int], prompt_a: list[int], expected: float) -> None:
    sequences = [prompt_a] * votes[0] + [[1, 2]] * votes[1]
    solution = compose(make_prompts(sequences, [0] * votes[0] + [1] * votes[1]))
    found = automaton_next(solution, [0, 1, 2])
    assert found.certificate == "tie" and found.detail.tie == "finite_odds"
    np.testing.assert_allclose(found.distribution, [expected, 1 - expected, 0], atol=1e-10)
    law = tie_distribution(solution, 2, [0, 1])
    assert law is not None
    np.testing.assert_allclose(law, found.distribution)
    assert automaton_tolerance(solution, [0, 1, 2], found, 12.0) < 0.05
    flow = log_time_flow(solution.prompts, np.array([60.0]))[0]
    assert total_variation((0, 1, 2), flow, found.distribution) < 1e-6


def test_slow_tie() -> None:
    # Tokens A, B, D, k: B wins, but only like log log time.
    solution = compose(make_prompts([[0, 3], [1, 2, 3]], [0, 1]))
    np.testing.assert_allclose(solution.levels[:, 3], [0.5, 0.5, -0.5, -0.5], atol=1e-6)
    assert solution.degenerate.tolist() == [False, False, False, True]
    assert len(solution.degenerate_edges) == 1 and not solution.strict_complementarity
    found = automaton_next(solution, [0, 1, 3])
    assert found.certificate == "tie" and found.detail.tie == "slow_drift"
    np.testing.assert_allclose(found.distribution, [0, 1, 0, 0])
    assert automaton_tolerance(solution, [0, 1, 3], found, 12.0) == np.inf
    times = np.array([10.0, 40.0, 80.0, 300.0])
    predicted = slow_tie_gap(0.5, 0.5, times)
    np.testing.assert_allclose(predicted, [1.609, 2.996, 3.689, 5.011], atol=1e-3)
    flow = log_time_flow(solution.prompts, times)
    np.testing.assert_allclose(flow[:, 1, 3] - flow[:, 0, 3], [1.636, 2.967, 3.666, 5.000], atol=1e-3)
    np.testing.assert_allclose(solution.drift[solution.component[:, 3]], [-0.5, 0.5, 0.5, -0.5], atol=1e-6)


def test_drift_is_the_next_order_of_the_flow() -> None:
    degenerate = [solution for seed in range(40) if not (solution := compose(ranked(seed))).strict_complementarity]
    assert degenerate
    for solution in degenerate[:2]:
        early, late = relaxed_flow(solution.condensation, np.array([1e4, 1e6]))
        slope = (late - early - solution.svm.levels * (1e6 - 1e4)) / np.log(100.0)
        np.testing.assert_allclose(slope, solution.drift, atol=0.02)


def test_history_decides_between_unconnected_blocks() -> None:
    solution = compose(make_prompts([[0, 4], [1, 4, 4], [2, 3, 5], [2, 5]], [0, 1, 2, 2]))
    assert automaton_next(solution, [0, 1, 4]).detail.tie == "finite_odds"
    assert automaton_next(solution, [5, 4]).certificate == "contains_unseen"
    assert automaton_next(solution, [3, 0]).certificate == "no_data"
    np.testing.assert_allclose(automaton_next(solution, [3, 3, 0]).distribution[[0, 3]], [1 / 3, 2 / 3])


def test_unseen_tokens_beat_negative_levels() -> None:
    solution = compose(make_prompts([[0, 1]], [0], vocab_size=3))
    np.testing.assert_allclose(automaton_next(solution, [2, 1]).distribution, [0, 0, 1])
    np.testing.assert_allclose(automaton_next(solution, [2, 0, 1]).distribution, [1, 0, 0])


def test_general_embeddings() -> None:
    prompts = ranked(5, embed=unit_rows(5, 6, 8))
    solution = compose(prompts)
    logits = log_time_flow(prompts, np.array([19.0]))[0]
    for last in (0, 1):
        for prompt in all_test_prompts(prompts.vocab_size, last):
            found = automaton_next(solution, prompt)
            if found.certificate == "comparable":
                assert total_variation(prompt, logits, found.distribution) < 1e-3
            elif found.detail.tie == "none" and found.detail.rate > 0.4:
                assert total_variation(prompt, logits, found.distribution) < 0.1
    assert automaton_next(solution, [1, 2, 5]).certificate == "no_data"


def test_large_data_are_solved_by_column(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, by_column = compose(ranked(8)), compose(ranked(8))
    monkeypatch.setattr("theory.next_token.structure._MANY_EDGES", 0)
    for last in (0, 1):
        for prompt in all_test_prompts(6, last):
            found = automaton_next(by_column, prompt)
            monkeypatch.setattr("theory.next_token.structure._MANY_EDGES", 10**9)
            expected = automaton_next(whole, prompt)
            monkeypatch.setattr("theory.next_token.structure._MANY_EDGES", 0)
            assert found.certificate == expected.certificate
            np.testing.assert_allclose(found.distribution, expected.distribution, atol=1e-9)


def test_generation_never_leaves_the_prompt() -> None:
    solution = compose(ranked(2, 8, 40))
    text = generate(solution, [3, 5, 1], 50, seed=7, window=4)
    assert len(text) == 50 and set(text.tolist()) <= {3, 5, 1}
    np.testing.assert_array_equal(text, generate(solution, [3, 5, 1], 50, seed=7, window=4))
    with pytest.raises(ParameterError, match="window"):
        generate(solution, [1], 1, seed=0, window=0)
    with pytest.raises(ParameterError, match="n_tokens"):
        generate(solution, [1], -1, seed=0)


def test_bad_prompts() -> None:
    solution = compose(ranked(2))
    with pytest.raises(DataError, match="at least one token"):
        automaton_next(solution, [])
    with pytest.raises(DataError, match="from 0 to 5"):
        automaton_next(solution, [9])
    with pytest.raises(ParameterError, match="vocab_size"):
        next(all_test_prompts(20, 0))
    assert len(list(all_test_prompts(6, 0))) == 31
