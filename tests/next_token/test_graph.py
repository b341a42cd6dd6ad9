"""Components and order against boolean closure and networkx, neither of which shares code with the project."""

from __future__ import annotations

import json
from io import BytesIO

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.core.errors import DataError
from theory.next_token.components import connected_pairs
from theory.next_token.graph import PriorityStructure, acyclic, priority_graph, priority_structure
from theory.next_token.graph_export import condensation_graph, to_graphml, to_json
from theory.next_token.problem import Prompts, make_prompts


def order_facts(prompts: Prompts, structure: PriorityStructure) -> dict[str, bool]:
    """Four facts that hold for any data (arXiv 2403.08081, proofs are one line each).

    ``label_on_top``: the label reaches every token of its prompt; ``last_below_labels``: every label other than k has
    an edge to k; ``never_label_is_sink``: tokens that never are labels are single and have no edge out;
    ``last_is_lowest_label``: if k is a label, every component with a label reaches the component of k.
    """
    on_top = below = sinks = lowest = True
    for k in structure.columns:
        column, graph = structure.column(k), priority_graph(prompts, k)
        labels = np.unique(prompts.labels[prompts.last == k])
        below &= bool(graph[labels[labels != k], k].all())
        never = np.setdiff1d(np.arange(prompts.vocab_size), labels)
        sinks &= not graph[never].any() and bool((structure.component_size[never, k] == 1).all())
        home = int(column.component[k])
        if k in labels:
            heads = set(column.component[labels].tolist()) - {home}
            lowest &= all(column.above(head, home) for head in heads)
        for row in np.flatnonzero(prompts.last == k).tolist():
            head = int(column.component[prompts.labels[row]])
            others = set(column.component[prompts.sequence(row)].tolist()) - {head}
            on_top &= all(column.above(head, other) for other in others)
    names = ("label_on_top", "last_below_labels", "never_label_is_sink", "last_is_lowest_label")
    return dict(zip(names, (on_top, below, sinks, lowest), strict=True))


@st.composite
def prompt_sets(draw: st.DrawFn) -> Prompts:
    vocab_size = draw(st.integers(1, 7))
    tokens = st.integers(0, vocab_size - 1)
    sequences = draw(st.lists(st.lists(tokens, min_size=1, max_size=5), min_size=1, max_size=15))
    labels = [draw(st.sampled_from(sequence)) for sequence in sequences]
    return make_prompts(sequences, labels, vocab_size)


def _closure(prompts: Prompts, k: int) -> np.ndarray:
    """reach[i, j]: there is a path (of any length, zero included) from i to j."""
    reach = np.eye(prompts.vocab_size, dtype=bool)
    for row in range(prompts.n):
        sequence = prompts.sequence(row).tolist()
        if sequence[-1] == k:
            for token in sequence:
                reach[prompts.labels[row], token] = True
    for middle in range(prompts.vocab_size):
        reach |= reach[:, [middle]] & reach[[middle], :]
    return reach


@given(prompt_sets())
@settings(max_examples=150, deadline=None)
def test_partition_order_and_covers(prompts: Prompts) -> None:
    structure = priority_structure(prompts)
    assert set(structure.columns) == set(prompts.last.tolist())
    for k in range(prompts.vocab_size):
        if k not in structure.columns:
            assert (structure.component[:, k] == -1).all() and not structure.seen[:, k].any()
            with pytest.raises(DataError, match="no data for this last token"):
                structure.column(k)
            continue
        reach = _closure(prompts, k)
        same, above = reach & reach.T, reach & ~reach.T
        component = structure.component[:, k]
        np.testing.assert_array_equal(component[:, None] == component[None, :], same)
        np.testing.assert_array_equal(structure.priority(k), above)
        np.testing.assert_array_equal(structure.component_size[:, k], same.sum(axis=0))
        assert all(component[i] < component[j] for i, j in np.argwhere(above))
        i, j = np.random.default_rng(k).integers(prompts.vocab_size, size=2).tolist()
        assert structure.same_component(i, j, k) == same[i, j]
        assert structure.has_priority(i, j, k) == above[i, j]
        column = structure.column(k)
        assert set(component[structure.seen[:, k]].tolist()) == set(range(column.n_seen))
        full = nx.DiGraph(map(tuple, column.edges.tolist()))
        assert nx.is_directed_acyclic_graph(full)
        assert {tuple(edge) for edge in column.reduced_edges.tolist()} == set(nx.transitive_reduction(full).edges)
        depth = {node: level for level, layer in enumerate(nx.topological_generations(full)) for node in layer}
        assert all(column.depth[node] == level for node, level in depth.items())
        assert structure.levels_from_top(k).tolist() == [column.depth[c] for c in component]
    everywhere = all((_closure(prompts, k) & _closure(prompts, k).T).sum() == prompts.vocab_size for k in prompts.last)
    assert acyclic(structure) == everywhere


@given(prompt_sets())
@settings(max_examples=60, deadline=None)
def test_facts_that_always_hold(prompts: Prompts) -> None:
    assert all(order_facts(prompts, priority_structure(prompts)).values())


@given(prompt_sets())
@settings(max_examples=60, deadline=None)
def test_seen_tokens_are_weakly_connected(prompts: Prompts) -> None:
    structure = priority_structure(prompts)
    for k in structure.columns:
        graph = nx.from_numpy_array(priority_graph(prompts, k) | priority_graph(prompts, k).T)
        assert nx.is_connected(graph.subgraph(np.flatnonzero(structure.seen[:, k]).tolist()))


def test_sparse_pass_agrees_with_networkx_on_a_larger_vocabulary() -> None:
    rng = np.random.default_rng(5)
    chance = 1 / np.arange(1, 301)
    sequences = rng.choice(300, size=(4000, 8), p=chance / chance.sum())
    labels = sequences[np.arange(4000), rng.integers(8, size=4000)]
    found = connected_pairs(make_prompts(sequences, labels, 300))
    parts = {frozenset(found.nodes[found.label == label].tolist()) for label in np.flatnonzero(found.sizes > 1)}
    graphs: dict[int, nx.DiGraph] = {}
    for sequence, label in zip(sequences.tolist(), labels.tolist(), strict=True):
        k = sequence[-1]
        graphs.setdefault(k, nx.DiGraph()).add_edges_from((k * 300 + label, k * 300 + token) for token in sequence)
    reference = {frozenset(part) for graph in graphs.values() for part in nx.strongly_connected_components(graph)}
    assert parts == {part for part in reference if len(part) > 1}
    assert set(found.nodes.tolist()) == {node for graph in graphs.values() for node in graph}


def test_chunks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    sequences = rng.integers(9, size=(50, 4))
    prompts = make_prompts(sequences, sequences[:, 1])
    whole = priority_structure(prompts)
    monkeypatch.setattr("theory.next_token.components._CHUNK_TOKENS", 7)
    pieces = priority_structure(prompts)
    np.testing.assert_array_equal(whole.pair_component, pieces.pair_component)
    np.testing.assert_array_equal(whole.edges, pieces.edges)


def test_large_vocabularies_keep_to_pairs() -> None:
    prompts = make_prompts([[0, 7000, 9999], [7000, 0, 9999]], [0, 7000])
    structure = priority_structure(prompts)
    assert structure.column(9999).sizes[:2].tolist() == [2, 1]
    with pytest.raises(DataError, match="use pairs") as caught:
        _ = structure.component
    assert caught.value.code == "too_large"
    with pytest.raises(DataError, match="MB"):
        priority_graph(make_prompts([[20_000]], [20_000]), 0)


def test_exports_can_be_read_back() -> None:
    prompts = make_prompts([[0, 1, 3], [1, 0, 3], [0, 2, 3]], [0, 1, 0], names=("a\x00", "<b>", "&", "k"))
    structure = priority_structure(prompts)
    levels = structure.component.astype(float)
    graph = condensation_graph(structure, 3, prompts.names, levels, levels)
    read = nx.read_graphml(BytesIO(to_graphml(graph).encode()), node_type=int)
    assert set(read.edges) == set(graph.edges) == {(0, 1), (0, 2)}
    assert read.nodes[0]["label"] == "a\ufffd <b>" and read.nodes[0]["size"] == 2
    assert nx.utils.graphs_equal(nx.node_link_graph(json.loads(to_json(graph)), edges="edges"), graph)
    assert condensation_graph(structure, 3).nodes[1]["label"] == "2"
