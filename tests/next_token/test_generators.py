"""Generated data have the structure they promise."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from theory.core.errors import ParameterError
from theory.next_token import generators
from theory.next_token.finite import fit_finite
from theory.next_token.graph import acyclic, priority_structure
from theory.next_token.problem import make_prompts


@given(st.integers(2, 8), st.integers(1, 6), st.integers(0, 999), st.data())
@settings(max_examples=40, deadline=None)
def test_ranked_noise_shapes_and_clean_data(vocab_size: int, length: int, seed: int, data: st.DataObject) -> None:
    n_last = data.draw(st.integers(1, vocab_size))
    prompts = generators.ranked_noise(vocab_size, 30, length, 0.0, n_last, seed)
    assert prompts.n == 30 and (prompts.lengths == length).all()
    assert len(set(prompts.last.tolist())) <= n_last
    assert acyclic(priority_structure(prompts))
    assert prompts.fingerprint == generators.ranked_noise(vocab_size, 30, length, 0.0, n_last, seed).fingerprint


def test_ranked_noise_flips_at_the_stated_rate() -> None:
    clean, noisy = (generators.ranked_noise(9, 20_000, 4, flips, 3, 1) for flips in (0.0, 0.5))
    np.testing.assert_array_equal(clean.tokens, noisy.tokens)
    distinct = np.array([len(set(noisy.sequence(row).tolist())) for row in range(noisy.n)])
    expected = 0.5 * np.mean(1 - 1 / distinct)
    assert np.mean(clean.labels != noisy.labels) == pytest.approx(expected, abs=0.015)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_planted_condensation_is_the_requested_order(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    positions = range(len(sizes))
    pairs = [(a, b) for a in positions for b in positions if a < b]
    order = data.draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    prompts = generators.planted(sizes, order, seed=data.draw(st.integers(0, 99)))
    k, starts = sum(sizes), np.concatenate([[0], np.cumsum(sizes)])
    column = priority_structure(prompts).column(k)
    home = [set(column.component[starts[p] : starts[p + 1]].tolist()) for p in positions]
    assert all(len(part) == 1 for part in home) and column.n_seen == len(sizes) + 1
    position = {part.pop(): p for p, part in enumerate(home)} | {int(column.component[k]): "last"}
    found = nx.DiGraph([(position[a], position[b]) for a, b in column.edges.tolist()])
    wanted = nx.DiGraph([*order, *((p, "last") for p in positions)])
    assert set(found.edges) == set(wanted.edges)
    assert k not in prompts.labels


def test_planted_labels_follow_the_scores() -> None:
    theta = np.array([1.0, 0.0, -1.0])
    prompts = generators.planted([3], theta=theta, repeats=4000)
    scores = fit_finite(prompts, priority_structure(prompts)).fin_scores[:3, 3]
    np.testing.assert_allclose(scores, theta, atol=0.08)


def test_luce_labels_have_the_stated_probabilities() -> None:
    theta = np.array([0.3, -0.4, 0.0])
    drawn = generators.luce_labels(make_prompts([[0, 0, 1, 2]] * 20_000, [0] * 20_000), theta, 5).labels
    expected = np.array([2, 1, 1]) * np.exp(theta)
    assert chisquare(np.bincount(drawn), 20_000 * expected / expected.sum()).pvalue > 1e-4


def test_luce_data_form_one_component_and_recover_the_scores() -> None:
    prompts, theta = generators.luce(5, 4000, 4, seed=3)
    structure = priority_structure(prompts)
    assert structure.column(4).sizes.tolist() == [5]
    np.testing.assert_allclose(fit_finite(prompts, structure).fin_scores[:, 4], theta, atol=0.2)


@pytest.mark.parametrize("count", [1, 5])
def test_a_contradiction_closes_a_cycle(count: int) -> None:
    clean = generators.ranked_noise(6, 20, 4, 0.0, 2, seed=4)
    prompts = generators.add_contradictions(clean, count, seed=0)
    assert prompts.n == clean.n + count and (prompts.labels[:20] == clean.labels).all()
    assert not acyclic(priority_structure(prompts))
    assert generators.add_contradictions(clean, 0, seed=0) is clean
    entangled = make_prompts([[0, 1], [0, 1]], [0, 1])
    assert generators.add_contradictions(entangled, 1, seed=0).n == 3
    alone = make_prompts([[1, 1]], [1])
    assert generators.add_contradictions(alone, 3, seed=0) is alone


def test_named_examples() -> None:
    game = generators.rock_paper_scissors()
    assert priority_structure(game).column(6).sizes.tolist() == [3, 1, 1, 1, 1]
    assert game.name(0) == "rock" and len(game.names) == game.vocab_size
    assert generators.undecided_voter(5, 2).labels.tolist() == [0] * 5 + [1] * 2
    tie = priority_structure(generators.slow_tie()).column(3)
    assert tie.component.tolist() == [0, 1, 2, 3] and tie.edges.tolist() == [[0, 3], [1, 2], [1, 3]]
    floors = []
    for count in (0, 1):
        data = generators.one_contradiction(count)
        structure = priority_structure(data)
        floors.append(fit_finite(data, structure).irreducible_loss)
        assert int(structure.pair_size.max()) == 1 + count
    assert floors[0] == 0 < floors[1]


def test_embeddings() -> None:
    equal = generators.equicorrelated(5, 8, 0.6)
    np.testing.assert_allclose(equal @ equal.T, 0.4 * np.eye(5) + 0.6, atol=1e-14)
    unit = generators.random_unit(6, 3, seed=1)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1)
    assert generators.random_unit(6, None, seed=1).shape == (6, 6)


BAD: list[tuple[str, Callable[[], object]]] = [
    ("n_last = 9", lambda: generators.ranked_noise(6, 5, 4, 0.1, 9, 0)),
    ("label_flip_probability = 1.5", lambda: generators.ranked_noise(6, 5, 4, 1.5, 2, 0)),
    ("label_flip_probability = nan", lambda: generators.ranked_noise(6, 5, 4, float("nan"), 2, 0)),
    ("prompt_length = 0", lambda: generators.ranked_noise(6, 5, 0, 0.1, 2, 0)),
    ("scc_sizes", lambda: generators.planted([])),
    ("scc_sizes", lambda: generators.planted([2, 0])),
    (r"order = \(0, 7\)", lambda: generators.planted([1, 1], [(0, 7)])),
    ("without a cycle", lambda: generators.planted([1, 1], [(0, 1), (1, 0)])),
    ("theta", lambda: generators.planted([1, 1], theta=[0.0])),
    ("dim = 3", lambda: generators.equicorrelated(4, 3)),
    ("correlation = 1", lambda: generators.equicorrelated(4, 4, 1.0)),
    ("dim = 0", lambda: generators.random_unit(4, 0)),
]


@pytest.mark.parametrize(("says", "make"), BAD)
def test_bad_settings_are_named(says: str, make: Callable[[], object]) -> None:
    with pytest.raises(ParameterError, match=says):
        make()
