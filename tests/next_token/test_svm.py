"""Graph-SVM: closed forms, certificates, and a generic solver on the uncollapsed problem."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from benchmarks.data import zipf_prompts
from tests.next_token.random_prompts import problems, ranked, reachability, unit_rows
from theory.core.errors import DataError
from theory.next_token import svm as svm_module
from theory.next_token.problem import Prompts, make_prompts
from theory.next_token.structure import Solution, compose
from theory.next_token.svm import chain_levels, solve_graph_svm, star_levels, support_edges
from theory.next_token.svm_general import Geometry, separating_direction_exists


def generic_levels(prompts: Prompts) -> np.ndarray:
    """The uncollapsed problem: one constraint per ordered pair of tokens, the whole d x d matrix."""
    vectors = prompts.vectors
    weights = cp.Variable((prompts.dim, prompts.dim))
    reach = reachability(prompts)
    constraints = []
    for last in np.unique(prompts.last):
        scores = vectors @ weights @ vectors[last]
        for i, j in np.argwhere(reach[last]):
            if reach[last, j, i]:
                constraints.append(scores[i] == scores[j]) if i < j else None
            else:
                constraints.append(scores[i] - scores[j] >= 1)
    cp.Problem(cp.Minimize(cp.sum_squares(weights)), constraints).solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11
    )
    return vectors @ weights.value @ vectors.T


@given(st.lists(st.integers(1, 9), min_size=2, max_size=9))
@settings(max_examples=25)
def test_chain_formula_and_its_multipliers(sizes: list[int]) -> None:
    edges = np.array([(p, p + 1) for p in range(len(sizes) - 1)])
    found = solve_graph_svm(edges, np.array(sizes))
    expected = chain_levels(sizes)
    np.testing.assert_allclose(found.levels, expected, atol=1e-9)
    np.testing.assert_allclose(found.multipliers, np.cumsum(sizes * expected)[:-1], atol=1e-8)


def test_worked_chains_and_star() -> None:
    np.testing.assert_allclose(chain_levels([1, 2, 3]), [4 / 3, 1 / 3, -2 / 3])
    np.testing.assert_allclose(chain_levels([2, 1, 1, 4]), [1.875, 0.875, -0.125, -1.125])
    for labels in (1, 2, 5):
        found = solve_graph_svm(np.array([(a, labels) for a in range(labels)]), np.ones(labels + 1, dtype=np.int64))
        np.testing.assert_allclose(found.levels, star_levels(labels), atol=1e-12)
        np.testing.assert_allclose(found.multipliers, 1 / (labels + 1), atol=1e-12)


@given(problems)
@settings(max_examples=30)
def test_optimality_conditions(prompts: Prompts) -> None:
    solution = compose(prompts)
    svm, graph = solution.svm, solution.condensation
    assert svm.primal_violation < 1e-9
    assert svm.duality_gap < 1e-8
    assert (svm.multipliers >= 0).all()
    assert np.linalg.norm(solution.levels) ** 2 == pytest.approx(svm.norm_squared, abs=1e-8)
    assert np.linalg.norm(solution.weights_svm) ** 2 == pytest.approx(svm.norm_squared, abs=1e-8)
    flow = np.zeros(graph.n_components)
    np.add.at(flow, graph.edges[:, 0], svm.multipliers)
    np.subtract.at(flow, graph.edges[:, 1], svm.multipliers)
    np.testing.assert_allclose(graph.size * svm.levels, flow, atol=1e-9)
    np.testing.assert_allclose(solution.levels.sum(axis=0), 0, atol=1e-9)
    assert (solution.levels[~solution.seen] == 0).all()


@pytest.mark.parametrize("seed", [2, 5, 11])
def test_collapsed_problem_equals_generic_solver(seed: int) -> None:
    prompts = ranked(seed)
    np.testing.assert_allclose(compose(prompts).levels, generic_levels(prompts), atol=1e-5)


@pytest.mark.parametrize("seed", [2, 5])
def test_general_embeddings_equal_generic_solver(seed: int) -> None:
    prompts = ranked(seed, embed=unit_rows(seed, 6, 8))
    solution = compose(prompts)
    np.testing.assert_allclose(solution.levels, generic_levels(prompts), atol=1e-5)
    assert np.abs(solution.levels - compose(ranked(seed)).levels).max() > 0.3
    assert solution.svm.duality_gap < 1e-8 and solution.svm.primal_violation < 1e-9


def test_general_solver_reproduces_orthonormal_answer() -> None:
    plain, rotated = compose(ranked(5)), _through_general_path(ranked(5))
    np.testing.assert_allclose(rotated.levels, plain.levels, atol=1e-9)
    np.testing.assert_allclose(rotated.fin_scores, plain.fin_scores, atol=1e-9)
    np.testing.assert_allclose(rotated.offsets, plain.offsets, atol=1e-8)
    np.testing.assert_allclose(rotated.exponent[:2].min(), plain.exponent[:2].min(), atol=1e-8)


def _through_general_path(prompts: Prompts) -> Solution:
    plain = compose(prompts)
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((8, 6)))[0].T
    return Solution(prompts, plain.structure, plain.finite, plain.condensation, Geometry(rotation, plain.condensation))


def test_one_last_token_is_a_single_vector() -> None:
    prompts = make_prompts([[0, 3], [1, 2, 3], [2, 3]], [0, 1, 2], embed=unit_rows(1, 4, 5))
    vectors, scores = prompts.vectors, cp.Variable(5)
    margins = [(vectors[i] - vectors[j]) @ scores >= 1 for i, j in ((0, 3), (1, 2), (1, 3), (2, 3))]
    cp.Problem(cp.Minimize(cp.sum_squares(scores)), margins).solve(solver=cp.CLARABEL)
    expected = np.outer(vectors @ scores.value, vectors @ vectors[3]) / (vectors[3] @ vectors[3])
    np.testing.assert_allclose(compose(prompts).levels, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("prompts", "accuracy"),
    [(ranked(3, 30, 300, 8, 5), 1e-7), (zipf_prompts(3000, 8, 800), 5e-6), (zipf_prompts(3000, 8, 800, seed=1), 5e-6)],
    ids=["one graph", "hundreds of columns", "hundreds of columns, again"],
)
def test_interior_point_equals_dual_ascent(prompts: Prompts, accuracy: float, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = compose(prompts).condensation
    ascent = solve_graph_svm(graph.edges, graph.size)
    assert ascent.duality_gap < 1e-9
    monkeypatch.setattr(svm_module, "_MAX_VISITS", 0)
    interior = solve_graph_svm(graph.edges, graph.size)
    np.testing.assert_allclose(interior.levels, ascent.levels, atol=accuracy)
    assert interior.duality_gap < (1e-6 if accuracy == 1e-7 else 1e-8 * ascent.norm_squared)


@given(problems)
@settings(max_examples=30)
def test_support_by_graph_search_equals_linear_program(prompts: Prompts) -> None:
    solution = compose(prompts)
    graph, svm = solution.condensation, solution.svm
    tight, support = support_edges(graph.edges, svm.levels, svm.multipliers)
    rows = np.flatnonzero(tight)
    if len(rows) == 0:
        return
    incidence = np.zeros((len(rows), graph.n_components))
    incidence[np.arange(len(rows)), graph.edges[rows, 0]] = 1
    incidence[np.arange(len(rows)), graph.edges[rows, 1]] = -1
    flow = graph.size * svm.levels
    for position, row in enumerate(rows):
        cost = np.zeros(len(rows))
        cost[position] = -1
        answer = linprog(cost, A_ub=np.vstack([incidence.T, -incidence.T]), b_ub=np.concatenate([flow, -flow]) + 1e-9)
        assert (-answer.fun > 1e-6) == support[row]


def test_too_few_dimensions() -> None:
    chain = [[0, 1, 2], [1, 2]], [0, 1]
    feasible = compose(make_prompts(*chain, embed=np.column_stack([[3.0, 2.0, 1.0], [0.0, 0.1, 0.0]])))
    assert feasible.geometry is not None and separating_direction_exists(feasible.geometry)
    assert feasible.svm.primal_violation < 1e-8
    corners = np.array([[1.0, 0.0], [0.0, 1.0], [-0.5, 0.5]])
    centre = corners.mean(axis=0, keepdims=True)
    impossible = compose(make_prompts([[1, 2, 3, 0]], [3], embed=np.vstack([corners, centre])))
    assert impossible.geometry is not None and not separating_direction_exists(impossible.geometry)
    with pytest.raises(DataError, match="no_separating_direction"):
        _ = compose(make_prompts([[0, 1], [0, 2, 1]], [0, 0], embed=[[1.0, 0], [1.0, 0], [0, 1.0]])).svm


def test_nothing_to_separate() -> None:
    solution = compose(make_prompts([[0, 0], [1]], [0, 1], vocab_size=3))
    assert solution.svm.norm_squared == 0
    assert (solution.levels == 0).all() and solution.strict_complementarity
