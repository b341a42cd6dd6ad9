"""Finite-time laws against plain gradient descent written in the test, and their closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import minimize

from tests.next_token.random_prompts import descend, loss_and_gradient, measured_gaps, problems, ranked, unit_rows
from theory.core.errors import ParameterError
from theory.next_token import sharp
from theory.next_token.problem import Prompts, make_prompts
from theory.next_token.simulation.flow import log_time_flow
from theory.next_token.structure import Solution, compose, solve
from theory.next_token.subspace import finite_projection

STEPS = [300, 3000, 30_000]


def measured(prompts: Prompts, initial: np.ndarray | None = None) -> tuple[Solution, np.ndarray, np.ndarray]:
    """Solution, log-times and descended logits; the step size is the largest that is surely safe."""
    norm = np.linalg.norm(prompts.gram, 2) if prompts.embed is not None else 1.0
    step_size = 2 * prompts.n / np.bincount(prompts.last).max() / norm**2
    logits = np.array(descend(prompts, step_size, STEPS, initial))
    return compose(prompts), np.log(step_size * np.array(STEPS)), logits


@pytest.fixture(scope="module")
def default() -> tuple[Solution, np.ndarray, np.ndarray]:
    return measured(ranked(2))


def test_logits_and_gaps(default: tuple[Solution, np.ndarray, np.ndarray]) -> None:
    solution, times, logits = default
    assert solution.strict_complementarity and solution.connected.all()
    errors = np.abs(sharp.predicted_logits(solution, times) - logits)
    for column in (0, 1):
        error = errors[:, :, column].max(axis=1)
        exponent = -np.log(error[2] / error[1]) / (times[2] - times[1])
        assert error[2] < 30 * np.exp(-solution.exponent[column] * times[2])
        assert exponent == pytest.approx(solution.exponent[column], abs=0.12)
    gaps = np.abs(sharp.predicted_gaps(solution, times) - measured_gaps(solution, logits)).max(axis=1)
    assert (np.diff(gaps) < 0).all() and gaps[2] < 0.05


def test_initial_logits_shift_columns_only() -> None:
    initial = np.random.default_rng(4).standard_normal((6, 6))
    solution, times, logits = measured(ranked(2), initial)
    predicted = sharp.predicted_logits(solution, times[-1], initial)
    assert np.abs(predicted - logits[-1]).max() < 0.1
    np.testing.assert_allclose(logits[-1][~solution.seen], initial[~solution.seen])
    with pytest.raises(ParameterError, match="initial"):
        sharp.predicted_logits(solution, 1.0, np.zeros(3))


def test_loss_cosine_and_finite_part(default: tuple[Solution, np.ndarray, np.ndarray]) -> None:
    solution, times, logits = default
    for time, trained in zip(times, logits, strict=True):
        loss, _ = loss_and_gradient(solution.prompts, trained)
        constant = np.exp(time) * (loss - solution.irreducible_loss) / solution.svm.norm_squared
        assert abs(constant - 1) < sharp.loss_gap_tolerance(solution, time)
        assert sharp.predicted_loss(solution, time) == pytest.approx(
            solution.irreducible_loss + solution.svm.norm_squared * np.exp(-time)
        )
        inside = finite_projection(solution.prompts, trained)
        assert np.linalg.norm(inside - solution.fin_scores) < sharp.finite_part_tolerance(solution, time)
        across = trained - inside
        cosine = (across * solution.levels).sum() / np.linalg.norm(across) / np.linalg.norm(solution.levels)
        predicted = sharp.predicted_cosine(solution, time)
        error = np.abs(measured_gaps(solution, across) - sharp.predicted_gaps(solution, time)).max()
        allowed = sharp.cosine_sensitivity(solution) * error + 0.02
        assert abs((1 - cosine) / (1 - predicted) - 1) < allowed
        assert np.linalg.norm(across) == pytest.approx(sharp.predicted_norm(solution, time), rel=0.05)
        whole = (trained * solution.levels).sum() / np.linalg.norm(trained) / np.linalg.norm(solution.levels)
        assert sharp.predicted_cosine(solution, time, with_finite=True) == pytest.approx(whole, abs=0.01)


def test_general_embeddings_finite_time() -> None:
    solution, times, logits = measured(ranked(2, embed=unit_rows(2, 6, 8)))
    loss, _ = loss_and_gradient(solution.prompts, logits[-1])
    gap = np.exp(times[-1]) * (loss - solution.irreducible_loss)
    assert abs(gap / solution.svm.norm_squared - 1) < sharp.loss_gap_tolerance(solution, times[-1])
    inside = finite_projection(solution.prompts, logits[-1])
    assert sharp.weight_norm(solution, inside - solution.fin_scores) < sharp.finite_part_tolerance(solution, times[-1])
    times = np.array([15.0, 19.0])
    flow = log_time_flow(solution.prompts, times)
    errors = np.abs(sharp.predicted_gaps(solution, times) - measured_gaps(solution, flow)).max(axis=1)
    assert errors[1] < 0.03
    assert np.log(errors[0] / errors[1]) / 4 == pytest.approx(solution.exponent[0], abs=0.03)


def test_general_initial_weights_keep_what_no_gradient_moves() -> None:
    prompts = ranked(2, embed=unit_rows(2, 6, 8))
    weights = np.random.default_rng(1).standard_normal((8, 8))
    initial = prompts.vectors @ weights @ prompts.vectors.T
    solution, _, logits = measured(prompts, initial)
    rest = sharp.resting_logits(solution, initial)
    np.testing.assert_allclose(sharp.resting_logits(solution, logits[-1]), rest, atol=1e-9)
    np.testing.assert_allclose(sharp.resting_logits(solution, solution.levels), 0, atol=1e-9)


@given(problems)
@settings(max_examples=20)
def test_offsets_minimise_their_convex_problem(prompts: Prompts) -> None:
    solution = compose(prompts)
    graph, found = solution.condensation, solution.offset_solution
    edges, weights = graph.edges[found.support], graph.weights[found.support]
    root = np.sqrt(graph.size)

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        force = weights * np.exp(point[edges[:, 1]] - point[edges[:, 0]])
        gradient = graph.size * solution.svm.levels
        np.subtract.at(gradient, edges[:, 0], force)
        np.add.at(gradient, edges[:, 1], force)
        return force.sum() + graph.size * solution.svm.levels @ point, gradient

    np.testing.assert_allclose(objective(found.offsets)[1], 0, atol=1e-7)
    best = minimize(objective, np.zeros(graph.n_components), jac=True, method="BFGS")
    assert objective(found.offsets)[0] <= best.fun + 1e-9
    for block in np.unique(found.blocks):
        mine = found.blocks == block
        assert (root[mine] ** 2 * found.offsets[mine]).sum() == pytest.approx(0, abs=1e-7)
    assert ((solution.exponent >= 0) & (solution.exponent <= 1)).all()
    gap = found.offsets[edges[:, 0]] - found.offsets[edges[:, 1]]
    np.testing.assert_allclose(gap, np.log(weights / found.multipliers[found.support]), atol=1e-7)


def test_effective_weights_by_definition() -> None:
    solution = compose(ranked(5))
    prompts, graph = solution.prompts, solution.condensation
    expected = np.zeros(len(graph.edges))
    for row in range(prompts.n):
        tokens, last = prompts.sequence(row), prompts.last[row]
        component, mass = solution.component[tokens, last], np.exp(solution.fin_scores[tokens, last])
        top = solution.component[prompts.labels[row], last]
        for position, (upper, lower) in enumerate(graph.edges):
            if upper == top:
                expected[position] += mass[component == lower].sum() / mass[component == top].sum() / prompts.n
    np.testing.assert_allclose(graph.weights, expected, rtol=1e-12)


@pytest.mark.parametrize("labels", [2, 3, 5])
def test_a_crowd_relaxes_slowly(labels: int) -> None:
    prompts = make_prompts([[a, labels] for a in range(labels)], list(range(labels)))
    assert compose(prompts).exponent[labels] == pytest.approx(1 / (labels + 1))


def test_regularisation_constants() -> None:
    radius = sharp.path_radius(np.array([1e-4, 1e-14]))
    np.testing.assert_allclose(radius + np.log(radius), np.log([1e4, 1e14]))
    solution = compose(ranked(2))
    assert sharp.path_finite_tolerance(solution, 1e-4) > sharp.path_finite_tolerance(solution, 1e-14) >= 1e-11
    assert 0 < sharp.path_cosine_tolerance(solution, 1e-14) < 0.05


def test_all_strongly_connected() -> None:
    solution = compose(make_prompts([[0, 1], [0, 1]], [0, 1]))
    assert solution.svm.norm_squared == 0 and not solution.acyclic
    assert np.isnan(sharp.predicted_cosine(solution, 3.0))
    assert sharp.amplitude(solution) == 0 and sharp.path_cosine_tolerance(solution, 1e-3) == 0
    np.testing.assert_allclose(sharp.predicted_logits(solution, 50.0), solution.fin_scores)


def test_solutions_are_remembered_by_content() -> None:
    assert solve(ranked(2)) is solve(ranked(2))
    assert solve(ranked(2)) is not solve(ranked(3))
