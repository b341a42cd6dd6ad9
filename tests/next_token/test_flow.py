"""Flow and regularisation path: far beyond gradient descent, where the limits are visible to many digits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from tests.next_token.random_prompts import descend, loss_and_gradient, measured_gaps, ranked, unit_rows
from theory.core.errors import Cancelled, ParameterError
from theory.next_token import sharp
from theory.next_token.convex import assemble, blocks
from theory.next_token.experiments.descent import log_time_flow_run, newton_path_run
from theory.next_token.problem import make_prompts
from theory.next_token.simulation.flow import log_time_flow, relaxed_flow
from theory.next_token.simulation.regularisation import PENALTIES, loss_of, newton_path
from theory.next_token.structure import compose
from theory.next_token.subspace import finite_projection


@pytest.mark.parametrize("embed", [None, unit_rows(3, 6, 8)])
def test_block_derivatives(embed: np.ndarray | None) -> None:
    prompts = ranked(2, embed=embed)
    parts = blocks(prompts)
    random = np.random.default_rng(0)
    points = [random.standard_normal(block.design.shape[1]) for block in parts]
    logits = assemble(parts, points, 6)
    loss, gradient = loss_and_gradient(prompts, logits)
    assert sum(block.loss(point) for block, point in zip(parts, points, strict=True)) == pytest.approx(loss)
    assert loss_of(prompts, logits[None])[0] == pytest.approx(loss)
    for block, point in zip(parts, points, strict=True):
        expected = block.readout.T @ gradient.T.ravel()
        found, hessian = block.derivatives(point)
        np.testing.assert_allclose(found, expected, atol=1e-12)
        direction = random.standard_normal(len(point))
        slope = (block.derivatives(point + 1e-6 * direction)[0] - block.derivatives(point - 1e-6 * direction)[0]) / 2e-6
        np.testing.assert_allclose(hessian @ direction, slope, atol=1e-7)


def test_path_reaches_the_limit_with_its_constants() -> None:
    solution = compose(ranked(2))
    path = newton_path(solution.prompts)
    radius = sharp.path_radius(PENALTIES)
    inside = finite_projection(solution.prompts, path[-1])
    across = path[-1] - inside
    cosine = (across * solution.levels).sum() / np.linalg.norm(across) / np.linalg.norm(solution.levels)
    assert 1 - cosine < sharp.path_cosine_tolerance(solution, 1e-14)
    assert np.linalg.norm(inside - solution.fin_scores) < sharp.path_finite_tolerance(solution, 1e-14)
    errors = np.abs(measured_gaps(solution, path) - sharp.predicted_gaps(solution, radius)).max(axis=1)
    np.testing.assert_allclose((errors * radius)[4:], 2.65, atol=0.15)
    constant = (loss_of(solution.prompts, path)[-1] - solution.irreducible_loss) / (
        1e-14 * (path[-1] * solution.levels).sum()
    )
    assert constant == pytest.approx(1, abs=1e-3)


def test_path_with_general_embeddings() -> None:
    solution = compose(ranked(2, embed=unit_rows(2, 6, 8)))
    path = newton_path(solution.prompts)
    across = path - finite_projection(solution.prompts, path)
    size = sharp.weight_norm(solution, across[-1])
    along = np.sqrt(solution.svm.norm_squared)
    # The cosine of two weight matrices from three norms, because only logits are at hand.
    rest = sharp.weight_norm(solution, across[-1] / size - solution.levels / along)
    assert rest**2 / 2 < sharp.path_cosine_tolerance(solution, 1e-14)
    errors = np.abs(measured_gaps(solution, path) - sharp.predicted_gaps(solution, sharp.path_radius(PENALTIES)))
    scaled = errors.max(axis=1) * sharp.path_radius(PENALTIES)
    assert scaled[-1] == pytest.approx(scaled[-4], rel=0.05)
    np.testing.assert_allclose(path[-1] - across[-1], solution.fin_scores, atol=1e-9)
    assert sharp.path_finite_tolerance(solution, 1e-14) < 1e-9


@pytest.mark.parametrize("embed", [None, unit_rows(3, 6, 8)])
def test_path_minimises_the_ridge_problem(embed: np.ndarray | None) -> None:
    prompts = ranked(3, embed=embed)
    vectors = prompts.vectors

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(prompts.dim, prompts.dim)
        loss, gradient = loss_and_gradient(prompts, vectors @ weights @ vectors.T)
        return loss + 0.005 * (flat @ flat), (vectors.T @ gradient @ vectors + 0.01 * weights).ravel()

    best = minimize(objective, np.zeros(prompts.dim**2), jac=True, method="L-BFGS-B", tol=1e-13)
    expected = vectors @ best.x.reshape(prompts.dim, prompts.dim) @ vectors.T
    np.testing.assert_allclose(newton_path(prompts, np.array([0.1, 0.01]))[-1], expected, atol=1e-4)


def test_flow_follows_small_gradient_steps() -> None:
    for prompts in (ranked(2), ranked(2, embed=unit_rows(3, 6, 8))):
        logits = descend(prompts, 0.01, [10_000])[0]
        np.testing.assert_allclose(log_time_flow(prompts, np.array([np.log(100.0)]))[0], logits, atol=5e-3)


def test_acyclic_flow_to_300_is_its_asymptote() -> None:
    solution = compose(make_prompts([[0, 1, 3], [1, 2, 3], [2, 3]], [0, 1, 2]))
    flow = log_time_flow(solution.prompts, np.array([30.0, 300.0]))
    np.testing.assert_allclose(flow, sharp.predicted_logits(solution, np.array([30.0, 300.0])), atol=1e-5)


def test_relaxed_flow_to_1000() -> None:
    solution = compose(ranked(2))
    times = np.array([12.6, 50.0, 1000.0])
    found = relaxed_flow(solution.condensation, times)
    expected = times[:, None] * solution.svm.levels + solution.offset_solution.offsets
    np.testing.assert_allclose(found[1:], expected[1:], atol=1e-6)
    logits = log_time_flow(solution.prompts, times[:1])[0]
    graph = solution.condensation
    np.testing.assert_allclose(graph.component_means(logits), found[0][graph.scc], atol=6e-3)


def test_datasets_and_cancelling() -> None:
    prompts = ranked(5)
    flow = log_time_flow_run(prompts, 1000, lambda: False)
    path = newton_path_run(prompts, lambda: False)
    for data in (flow, path):
        assert data.logits.dims == ("step", "token", "last")
        assert (np.diff(data.loss) < 0).all() and (np.diff(data.log_time) > 0).all()
    np.testing.assert_allclose(path.log_time, sharp.path_radius(PENALTIES), rtol=1e-9)
    with pytest.raises(Cancelled):
        log_time_flow_run(prompts, 1000, lambda: True)
    with pytest.raises(Cancelled):
        newton_path_run(prompts, lambda: True)
    with pytest.raises(ParameterError, match="log_time"):
        log_time_flow(prompts, np.array([1.0, 400.0]))
