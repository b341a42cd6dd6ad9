"""Shortest cycles against networkx, and removals against fitting the remaining data from scratch."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.core.errors import DataError
from theory.next_token.contradiction import effect_of_removal, shortest_contradictions
from theory.next_token.finite import fit_finite
from theory.next_token.generators import one_contradiction, planted, ranked_noise
from theory.next_token.graph import acyclic, priority_graph, priority_structure
from theory.next_token.problem import Prompts, make_prompts


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_every_component_has_a_shortest_cycle_of_real_prompts(seed: int) -> None:
    prompts = ranked_noise(7, 25, 3, 0.5, 2, seed)
    structure = priority_structure(prompts)
    found = shortest_contradictions(prompts, structure)
    assert len(found) == sum(int((structure.column(k).sizes > 1).sum()) for k in structure.columns)
    for cycle in found:
        graph = nx.from_numpy_array(priority_graph(prompts, cycle.last), create_using=nx.DiGraph)
        members = structure.column(cycle.last).members(cycle.component).tolist()
        shortest = min(len(loop) for loop in nx.simple_cycles(graph.subgraph(members)))
        assert len(cycle.tokens) == len(set(cycle.tokens)) == len(set(cycle.rows)) == shortest
        assert set(cycle.tokens) <= set(members) and cycle.tokens[0] == min(cycle.tokens)
        for row, token, following in zip(cycle.rows, cycle.tokens, np.roll(cycle.tokens, -1), strict=True):
            assert prompts.labels[row] == token and following in prompts.sequence(row)
            assert prompts.last[row] == cycle.last


def test_a_long_cycle_and_the_choice_of_last_token() -> None:
    sequences = [[a, (a + 1) % 5, 5] for a in range(5)] + [[0, 1, 6], [1, 0, 6]]
    prompts = make_prompts(sequences, [*range(5), 0, 1])
    structure = priority_structure(prompts)
    both = shortest_contradictions(prompts, structure)
    assert [cycle.rows for cycle in both] == [(0, 1, 2, 3, 4), (5, 6)]
    assert shortest_contradictions(prompts, structure, last=6) == both[1:]
    assert shortest_contradictions(prompts, structure, last=0) == ()


def _without(prompts: Prompts, row: int) -> Prompts:
    rows = [i for i in range(prompts.n) if i != row]
    return make_prompts([prompts.sequence(i).tolist() for i in rows], prompts.labels[rows], prompts.vocab_size)


@pytest.mark.parametrize("seed", range(4))
def test_removal_agrees_with_a_fresh_fit(seed: int) -> None:
    prompts = ranked_noise(5, 12, 4, 0.5, 2, seed)
    known = fit_finite(prompts, priority_structure(prompts)).irreducible_loss
    for row in range(prompts.n):
        removal = effect_of_removal(prompts, row, known)
        rest = _without(prompts, row)
        expected = fit_finite(rest, priority_structure(rest)).irreducible_loss
        assert removal.loss_after == pytest.approx(expected, abs=1e-12)
        assert removal.change == pytest.approx(expected - known, abs=1e-12)


def test_removing_the_last_contradiction_drops_the_floor_to_zero() -> None:
    prompts = one_contradiction()
    removal = effect_of_removal(prompts, prompts.n - 1)
    assert removal.loss_before > 0 == removal.loss_after and removal.acyclic_after
    assert (removal.largest_before, removal.largest_after) == (2, 1)
    ring = planted([3], repeats=0)
    for row in shortest_contradictions(ring, priority_structure(ring))[0].rows:
        assert effect_of_removal(ring, row).loss_after == 0
        assert acyclic(priority_structure(_without(ring, row)))


def test_removal_of_rows_that_cannot_go() -> None:
    with pytest.raises(DataError, match="row 2; expected a row from 0 to 1"):
        effect_of_removal(make_prompts([[0, 1], [1]], [0, 1]), 2)
    with pytest.raises(DataError, match="only prompt"):
        effect_of_removal(make_prompts([[0, 1]], [0]), 0)
    assert effect_of_removal(make_prompts([[0, 1], [0, 2]], [0, 0]), 1).loss_after == 0
