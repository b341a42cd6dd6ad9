"""Closed forms against numerical optimisers and plain gradient descent that know nothing of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from theory.icl.data import draw
from theory.icl.drift import attention_risk_under_drift, h3_optimum, kalman_risk, task_correlation
from theory.icl.low_rank import length_risk, lora_risks, lora_singular_values, low_rank_risks
from theory.icl.optimum import independent_optimum, optimal_preconditioner, second_moment, step_risk
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.quadratic import gd_path, landscape
from theory.icl.retrieval import alignment_optimum, rag_crossover, rag_optimum
from theory.shared.training.optimisers import adam


def crooked() -> Regression:
    return draw(Params(dim=3, feature_decay=1.0, basis_rotation=0.7, spectrum_decay=1.5), 4)


def sampled_risk(problem: Regression, step: Floats, n: int, noise: float, count: int = 40_000) -> tuple[float, float]:
    """Mean squared error, and its standard error, on prompts drawn here."""
    generator = np.random.default_rng(1)
    roots = [np.linalg.cholesky(table) for table in (problem.feature_covariance, problem.task_covariance)]
    examples = generator.standard_normal((count, n + 1, problem.dim)) @ roots[0].T
    tasks = generator.standard_normal((count, problem.dim)) @ roots[1].T
    labels = np.einsum("bnd,bd->bn", examples, tasks) + noise**0.5 * generator.standard_normal((count, n + 1))
    correlation = np.einsum("bnd,bn->bd", examples[:, :-1], labels[:, :-1])
    errors = (labels[:, -1] - np.einsum("bd,de,be->b", examples[:, -1], step, correlation)) ** 2
    return float(errors.mean()), float(errors.std() / count**0.5)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_risk_of_a_step_is_that_of_sampled_prompts(scale: float) -> None:
    problem = crooked()
    step = scale * optimal_preconditioner(problem, 6, 0.3)
    mean, error = sampled_risk(problem, step, 6, 0.3)
    assert abs(mean - float(step_risk(step, problem, 6, 0.3))) <= 5 * error


def test_no_step_is_better_than_the_optimum() -> None:
    problem = crooked()
    found = minimize(lambda flat: float(step_risk(flat.reshape(3, 3), problem, 6, 0.3)), np.zeros(9), tol=1e-12)
    assert np.isclose(found.fun, float(independent_optimum(problem.spectrum[0], 6, 0.3).risk), rtol=1e-8)


def test_plain_descent_takes_the_predicted_path() -> None:
    problem = crooked()
    surface = landscape(problem, 6, 0.3)
    root = problem.whitening[0]
    moment = root @ second_moment(problem, 6, 0.3) @ root
    step, rate = np.zeros((3, 3)), 0.4 * surface.largest_step
    for _ in range(50):
        step = step - 2 * rate * problem.feature_covariance @ (step - surface.optimum) @ moment
    weights, risks = gd_path(surface, np.zeros((3, 3)), rate, np.array([50.0]))
    assert np.allclose(weights[0], step, rtol=1e-10)
    assert np.isclose(risks[0], float(step_risk(step, problem, 6, 0.3)), rtol=1e-10)


def test_lora_trained_by_gradient_descent_reaches_the_predicted_risk() -> None:
    """Factors of an update on frozen weights, descended from small random ones by autograd."""
    torch = pytest.importorskip("torch")
    old = crooked()
    problem = Regression(old.feature_covariance, old.task_covariance, np.diag([0.3, 1.0, 2.5]))
    n, noise, rank = 6, 0.3, 1
    singular, lowest = lora_singular_values(problem, n, noise)
    fresh = Regression(problem.feature_covariance, problem.new_task_covariance, problem.new_task_covariance)
    root = fresh.whitening[0]
    white = [torch.tensor(a) for a in (fresh.whitened_tasks, second_moment(fresh, n, noise), root)]
    frozen = torch.tensor(root @ optimal_preconditioner(problem, n, noise) @ root)
    risks = []
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        sides = [0.1 * torch.randn(3, rank, generator=generator, dtype=torch.float64) for _ in range(2)]
        left, right = (side.requires_grad_() for side in sides)
        move = adam([left, right], lambda step: 0.02 * (1 - step / 800), (0.9, 0.99))
        for _ in range(800):
            whole = frozen + left @ right.T
            risk = torch.trace(white[0]) + noise - 2 * n * torch.trace(whole @ white[0])
            risk = risk + torch.trace(whole @ white[1] @ whole.T)
            move(torch.autograd.grad(risk, [left, right]))
        risks.append(float(risk.detach()))
    predicted = lowest + float((singular[rank:] ** 2).sum())
    assert predicted * (1 - 1e-9) <= min(risks) <= predicted * (1 + 1e-5)


@pytest.mark.parametrize("kind", ["ar1", "switch", "period", "exchangeable"])
def test_no_sample_weights_are_better(kind: str) -> None:
    along, query = task_correlation(kind, 6, 0.7, 3)
    values, noise = np.array([2.0, 0.5, 0.1]), 0.4
    power = values.sum() + noise

    def risk(omega: Floats) -> float:
        square = omega @ omega
        bottom = (omega @ along @ omega + square) * values + power * square
        return float(power - np.sum((omega @ query) ** 2 * values**2 / bottom))

    found = minimize(risk, np.ones(6), tol=1e-12)
    best = h3_optimum(along, query, values, noise)
    assert np.isclose(found.fun, best.risk, rtol=1e-7)
    plain = attention_risk_under_drift(along, query, values, noise)
    assert best.risk <= plain * (1 + 1e-12) and (kind != "exchangeable" or np.isclose(best.risk, plain, rtol=1e-12))


@given(st.floats(0, 1), st.integers(1, 40), st.integers(1, 8), st.floats(0, 4))
def test_the_kalman_predictor_is_the_best_filter(rho: float, n: int, dim: int, noise: float) -> None:
    along, query = task_correlation("ar1", n, rho)
    risk = dim + noise - dim * float(query @ np.linalg.solve(along + (dim + 1 + noise) * np.eye(n), query))
    assert np.isclose(kalman_risk(rho, n, dim, noise)[-1], risk, rtol=1e-10)


@given(st.lists(st.just(0.0) | st.floats(1e-6, 5.0), min_size=1, max_size=6), st.integers(1, 50), st.floats(0.0, 4.0))
def test_special_cases_are_the_independent_optimum(values: list[float], n: int, noise: float) -> None:
    table = np.array(values)
    best = float(independent_optimum(table, n, noise).risk)
    ones = np.ones((n, n)), np.ones(n)
    assert np.isclose(low_rank_risks(table, n, noise)[-1], best, atol=1e-12)
    assert np.isclose(lora_risks(table[::-1], table, n, noise)[0][-1], best, atol=1e-12)
    assert np.isclose(length_risk(table, n, n, noise), best, atol=1e-12)
    assert np.isclose(h3_optimum(*ones, table, noise).risk, best, atol=1e-12)


@given(st.integers(1, 20), st.integers(1, 60), st.floats(0, 4))
def test_unaligned_prompts_are_independent_ones(dim: int, n: int, noise: float) -> None:
    best = float(independent_optimum(np.ones(dim), n, noise).risk)
    for optimum in (rag_optimum, alignment_optimum):
        assert np.isclose(float(optimum(dim, n, 0.0, noise).risk), best, rtol=1e-12)


def test_retrieval_hurts_beyond_the_crossover() -> None:
    n = float(rag_crossover(5, 0.9, 0.0))
    best = independent_optimum(np.ones(5), np.array([n - 1, n, n + 1]), 0.0).risk
    gap = rag_optimum(5, np.array([n - 1, n, n + 1]), 0.9, 0.0).risk - best
    assert np.isclose(n, 21.47, atol=0.01) and gap[0] < 0 < gap[2] and abs(gap[1]) < 1e-12
