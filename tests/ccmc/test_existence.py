"""Existence of the estimate against linear programming, networkx, and hand-made data."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from theory.ccmc.data import draw
from theory.ccmc.existence import arcs, existence_of, mle_exists, separation_chance
from theory.ccmc.label_sets import label_sets, next_laws
from theory.ccmc.parameters import Params


def observed(seed: int, size: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A few prompts of one last token with observed next tokens, sparse enough for every case to occur."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 9))
    counts = rng.integers(0, 3, size=(n, size)) * rng.integers(0, 2, size=(n, size))
    chosen = np.zeros_like(counts)
    for row in range(n):
        counts[row, rng.integers(size)] += 1
        chosen[row, rng.choice(np.flatnonzero(counts[row]))] += 1
    return counts, np.zeros(n, dtype=np.int64), chosen


def has_recession(counts: np.ndarray, chosen: np.ndarray) -> bool:
    """Whether some direction never lowers the likelihood and raises it somewhere, by linear programming."""
    size = counts.shape[1]
    gaps = [
        np.eye(size)[winner] - np.eye(size)[loser]
        for row in range(len(counts))
        for winner in np.flatnonzero(chosen[row])
        for loser in np.flatnonzero(counts[row])
        if winner != loser
    ]
    if not gaps:
        return False
    table = np.array(gaps)
    best = linprog(-table.sum(axis=0), A_ub=-table, b_ub=np.zeros(len(table)), bounds=[(-1, 1)] * size)
    return bool(-best.fun > 1e-9)


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_exists_iff_there_is_no_direction_of_recession(seed: int) -> None:
    counts, last, chosen = observed(seed)
    assert mle_exists(arcs(counts, last, chosen))[0] == (not has_recession(counts, chosen))


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_runaways_are_the_ends_of_the_condensation(seed: int) -> None:
    counts, last, chosen = observed(seed, size=5)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(5))
    graph.add_edges_from(np.argwhere(arcs(counts, last, chosen)[0]).tolist())
    condensed = nx.condensation(graph)
    ups, downs = set(), set()
    for node in condensed:
        tokens = tuple(sorted(condensed.nodes[node]["members"]))
        if condensed.in_degree(node) == 0 < condensed.out_degree(node):
            ups.add(tokens)
        if condensed.out_degree(node) == 0 < condensed.in_degree(node):
            downs.add(tokens)
    found = existence_of(counts, last, chosen)
    assert {runaway.tokens for runaway in found.runaways if runaway.up} == ups
    assert {runaway.tokens for runaway in found.runaways if not runaway.up} == downs
    assert found.everywhere == (not ups)


def test_many_sets_at_once_are_each_judged_alone() -> None:
    chain = draw(Params(chain="random", vocab_size=4, n_samples=150), 3)
    sets = label_sets(chain, 12)
    together = mle_exists(arcs(chain.counts, chain.last, sets))
    assert together.shape == (12, 4) and 0 < together.mean() < 1
    for index, chosen in enumerate(sets):
        np.testing.assert_array_equal(together[index], existence_of(chain.counts, chain.last, chosen).exists)


def test_islands_and_unseen_rows_are_judged_on_their_own() -> None:
    counts = np.array([[1, 1, 0, 0], [0, 0, 1, 1]])
    last = np.array([0, 0])
    assert existence_of(counts, last, np.array([[1, 1, 0, 0], [0, 0, 2, 1]])).everywhere
    found = existence_of(counts, last, np.array([[1, 1, 0, 0], [0, 0, 2, 0]]))
    assert found.exists.tolist() == [False, True, True, True]
    assert [(runaway.tokens, runaway.up) for runaway in found.runaways] == [((2,), True), ((3,), False)]


@pytest.mark.parametrize("n_samples", [100, 200])
def test_separation_chance_is_the_expected_number_of_lone_runaways(n_samples: int) -> None:
    chain = draw(Params(chain="random", vocab_size=3, n_samples=n_samples, prompt_length=4), 1)
    sets = label_sets(chain, 4000)
    found = arcs(chain.counts, chain.last, sets) & ~np.eye(3, dtype=bool)
    alone = (found.any(axis=-1) != found.any(axis=-2)).sum(axis=(1, 2))
    error = alone.std() / np.sqrt(len(alone))
    assert abs(alone.mean() - separation_chance(next_laws(chain), chain.last, chain.weight)) < 4 * error + 1e-3
