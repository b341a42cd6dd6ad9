"""The finite part against a generic optimiser on the restricted data, and by its defining properties."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from theory.next_token.finite import fit_finite
from theory.next_token.generators import random_unit, ranked_noise
from theory.next_token.graph import acyclic, priority_graph, priority_structure
from theory.next_token.interface import w_fin
from theory.next_token.problem import Prompts, make_prompts
from theory.next_token.structure import compose
from theory.next_token.subspace import finite_projection, finite_subspace


def _restricted(prompts: Prompts) -> list[tuple[int, int, dict[int, int]]]:
    """For each prompt: last token, label, counts of the tokens in the label's component; components by networkx."""
    rows: list[tuple[int, int, dict[int, int]]] = []
    for row in range(prompts.n):
        k, label = int(prompts.last[row]), int(prompts.labels[row])
        graph = nx.from_numpy_array(priority_graph(prompts, k), create_using=nx.DiGraph)
        home = next(part for part in nx.strongly_connected_components(graph) if label in part)
        sequence = prompts.sequence(row).tolist()
        rows.append((k, label, {token: sequence.count(token) for token in set(sequence) & home}))
    return rows


def _loss(logits: np.ndarray, rows: list[tuple[int, int, dict[int, int]]]) -> float:
    losses = [
        np.log(sum(count * np.exp(logits[token, k]) for token, count in bag.items()))
        - np.log(bag[label])
        - logits[label, k]
        for k, label, bag in rows
    ]
    return float(np.mean(losses))


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_a_generic_optimiser(seed: int) -> None:
    prompts = ranked_noise(5, 25, 4, 0.5, 2, seed)
    finite = fit_finite(prompts, priority_structure(prompts))
    rows = _restricted(prompts)
    shape = (5, 5)
    best = minimize(lambda x: _loss(x.reshape(shape), rows), np.zeros(25), method="BFGS", options={"gtol": 1e-7})
    # Started at zero, the optimiser stays in the span of the gradients: scores of each component keep their sum.
    np.testing.assert_allclose(finite.fin_scores, best.x.reshape(shape), atol=2e-5)
    assert finite.irreducible_loss == pytest.approx(best.fun, abs=1e-9)
    assert finite.irreducible_loss == pytest.approx(_loss(finite.fin_scores, rows), abs=1e-12)


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.1, 0.6]))
@settings(max_examples=40, deadline=None)
def test_loss_is_zero_exactly_for_acyclic_data(seed: int, flips: float) -> None:
    prompts = ranked_noise(6, 15, 4, flips, 2, seed)
    structure = priority_structure(prompts)
    finite = fit_finite(prompts, structure)
    assert (finite.irreducible_loss == 0) == acyclic(structure)
    assert finite.irreducible_loss >= 0
    for k in structure.columns:
        sums = np.bincount(structure.component[:, k], finite.fin_scores[:, k])
        np.testing.assert_allclose(sums, 0, atol=1e-9)
    if acyclic(structure):
        assert finite.curvature == np.inf and finite.condition_number == 1
        assert finite_subspace(prompts).shape == (36, 0) and not w_fin(prompts).any()


def _cyclic(seed: int) -> Prompts:
    return ranked_noise(5, 30, 4, 0.6, 2, seed)


@pytest.mark.parametrize("seed", range(3))
def test_curvature_is_the_smallest_on_the_finite_subspace(seed: int) -> None:
    prompts = replace(_cyclic(seed), embed=random_unit(5, 7, seed))
    structure = priority_structure(prompts)
    finite = fit_finite(prompts, structure)
    basis, rows = finite_subspace(prompts), _restricted(prompts)
    rank = sum(int((structure.column(k).sizes - 1).sum()) for k in structure.columns)
    assert basis.shape == (49, rank)

    def along(u: np.ndarray) -> float:
        weights = w_fin(prompts) + (basis @ u).reshape(7, 7)
        return _loss(prompts.vectors @ weights @ prompts.vectors.T, rows)

    r, step = basis.shape[1], 1e-3
    unit = step * np.eye(r)
    hessian = [
        [(along(a + b) - along(a - b) - along(b - a) + along(-a - b)) / (4 * step**2) for b in unit] for a in unit
    ]
    assert compose(prompts).curvature == pytest.approx(np.linalg.eigvalsh(hessian)[0], rel=1e-3)
    identity = replace(prompts, embed=np.eye(5))
    assert compose(identity).curvature == finite.curvature


@pytest.mark.parametrize("seed", range(3))
def test_weights_for_any_embedding_keep_the_differences(seed: int) -> None:
    prompts = replace(_cyclic(seed), embed=random_unit(5, 7, seed))
    structure = priority_structure(prompts)
    finite = fit_finite(prompts, structure)
    weights = w_fin(prompts)
    scores = prompts.vectors @ weights @ prompts.vectors.T
    for k in structure.columns:
        for component in range(len(structure.column(k).sizes)):
            members = structure.column(k).members(component)
            gap = scores[members, k] - finite.fin_scores[members, k]
            np.testing.assert_allclose(gap, gap[0], atol=1e-8)
    basis = finite_subspace(prompts)
    np.testing.assert_allclose(basis @ (basis.T @ weights.ravel()), weights.ravel(), atol=1e-8)
    orthonormal = replace(prompts, embed=None)
    np.testing.assert_allclose(w_fin(orthonormal), finite.fin_scores, atol=1e-9)


@pytest.mark.parametrize("dim", [None, 7])
def test_projection_keeps_what_differs_inside_components(dim: int | None) -> None:
    prompts = replace(_cyclic(1), embed=None if dim is None else random_unit(5, dim, 1))
    logits = np.random.default_rng(0).standard_normal((2, 5, 5))
    inside = finite_projection(prompts, logits)
    np.testing.assert_allclose(finite_projection(prompts, inside), inside, atol=1e-9)
    assert np.abs(finite_projection(prompts, logits - inside)).max() < 1e-9
    for k in range(5):
        graph = nx.from_numpy_array(priority_graph(prompts, k), create_using=nx.DiGraph)
        for part in nx.strongly_connected_components(graph):
            rest = (logits - inside)[:, sorted(part), k]
            np.testing.assert_allclose(rest, rest[:, :1].repeat(len(part), axis=1), atol=1e-9)


def test_multiplicity_counts_and_order_inside_prompts() -> None:
    once = make_prompts([[0, 1, 2], [0, 0, 1, 2], [1, 0, 2]], [0, 0, 1])
    shuffled = make_prompts([[1, 0, 2], [0, 1, 2], [0, 1, 0, 2]], [0, 1, 0])
    scores = [fit_finite(data, priority_structure(data)).fin_scores for data in (once, shuffled)]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert scores[0][0, 2] != 0
