"""All strongly connected components of 10^5 prompts against one networkx graph per last token."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import networkx as nx
import numpy as np

from benchmarks.data import zipf_prompts
from benchmarks.harness import Line, readable, seconds
from theory.next_token.components import SparseComponents, connected_pairs
from theory.next_token.problem import Prompts

N, LENGTH, VOCAB_SIZE = 100_000, 32, 1000


def one_graph_per_last_token(prompts: Prompts) -> dict[int, list[set[int]]]:
    """Components of each last token's graph, built edge by edge."""
    graphs: dict[int, nx.DiGraph[int]] = {}
    sequences = prompts.tokens.reshape(N, LENGTH).tolist()
    for sequence, label in zip(sequences, prompts.labels.tolist(), strict=True):
        graph = graphs.setdefault(sequence[-1], nx.DiGraph())
        graph.add_nodes_from(sequence)
        graph.add_edges_from((label, token) for token in sequence if token != label)
    return {last: list(nx.strongly_connected_components(graph)) for last, graph in graphs.items()}


def same_partition(prompts: Prompts, ours: SparseComponents, theirs: dict[int, list[set[int]]]) -> bool:
    """Whether both found the same sets."""
    label = dict(zip(ours.nodes.tolist(), ours.label.tolist(), strict=True))
    sets = [
        {label[last * prompts.vocab_size + token] for token in component}
        for last, components in theirs.items()
        for component in components
    ]
    n_pairs = sum(len(component) for components in theirs.values() for component in components)
    all_one = all(len(found) == 1 for found in sets)
    return all_one and len(set.union(*sets)) == len(sets) and n_pairs == len(label)


def run() -> Iterator[Line]:
    prompts = zipf_prompts(N, LENGTH, VOCAB_SIZE)
    ours = seconds(lambda: connected_pairs(prompts), 3)
    started = perf_counter()
    theirs = one_graph_per_last_token(prompts)
    baseline = perf_counter() - started
    if not same_partition(prompts, connected_pairs(prompts), theirs):
        raise AssertionError("the two partitions differ")
    largest = np.max([len(component) for components in theirs.values() for component in components])
    text = f"a networkx graph per last token: {readable(baseline)} (largest component {largest})"
    yield Line(f"all SCCs, {N:,} prompts x {LENGTH}, K={VOCAB_SIZE}", readable(ours), text, baseline / ours, 150)
