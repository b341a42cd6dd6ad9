"""Extraction of the automaton from trained weights, and the risk of the soft composition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from tests.next_token.random_prompts import descend, loss_and_gradient, ranked, reachability
from theory.core.errors import ParameterError
from theory.next_token.extraction import (
    extract,
    level_sets,
    pair_relation,
    true_relation,
)
from theory.next_token.structure import compose
from theory.shared.choice import estimation_variance, fisher_information


def classified_correctly(slopes: np.ndarray, reaches: np.ndarray) -> tuple[int, int]:
    """Comparable ordered pairs that the slopes classify correctly, and all comparable ordered pairs."""
    truth, comparable = true_relation(reaches)
    correct = (pair_relation(slopes) == truth) & comparable
    return int(correct.sum()), int(comparable.sum())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_slopes_classify_every_comparable_pair(seed: int) -> None:
    prompts = ranked(seed, 8, 24, 5)
    step_size = 2 * prompts.n / np.bincount(prompts.last).max()
    early, late = descend(prompts, step_size, [10_000, 20_000])
    slopes = extract(early, late, np.log(2))
    solution = compose(prompts)
    reaches = np.moveaxis(reachability(prompts), 0, -1)
    correct, total = classified_correctly(slopes, reaches)
    assert total > 30 and correct == total
    # One checkpoint suffices: slopes in log-time are minus time times the gradient.
    single = -step_size * 20_000 * loss_and_gradient(prompts, late)[1]
    assert classified_correctly(single, reaches)[0] == total
    regular = ~solution.degenerate
    np.testing.assert_allclose(slopes[:, regular], solution.levels[:, regular], atol=0.15)


def test_relations_and_level_sets() -> None:
    slopes = np.array([[1.0, 0.0], [1.02, 0.0], [-0.5, 0.0]])[:, :1]
    assert pair_relation(np.array(slopes))[0].tolist() == [[0], [0], [1]]
    assert level_sets(slopes, np.array([[True], [True], [True]])).ravel().tolist() == [0, 0, 1]
    assert level_sets(slopes, np.array([[True], [False], [True]])).ravel().tolist() == [0, -1, 1]
    truth, comparable = true_relation(np.array([[True, True], [False, True]])[:, :, None])
    assert truth[:, :, 0].tolist() == [[0, 1], [-1, 0]] and comparable[:, :, 0].tolist() == [
        [False, True],
        [True, False],
    ]
    with pytest.raises(ParameterError, match="log_ratio"):
        extract(slopes, slopes, 0.0)


def test_risk_is_the_spread_of_refitted_scores() -> None:
    random = np.random.default_rng(1)
    theta = np.array([0.5, -0.2, -0.3])
    counts = random.integers(1, 3, (600, 3)).astype(float)
    chances = counts * np.exp(theta)
    chances /= chances.sum(axis=1, keepdims=True)
    errors = []
    for _ in range(120):
        labels = (random.random((600, 1)) > chances.cumsum(axis=1)).sum(axis=1)

        def loss(point: np.ndarray, labels: np.ndarray = labels) -> tuple[float, np.ndarray]:
            scores = np.append(point, -point.sum())
            mass = counts * np.exp(scores)
            residual = (mass / mass.sum(axis=1, keepdims=True)).sum(axis=0) - np.bincount(labels, minlength=3)
            value = np.log(mass.sum(axis=1)).sum() - scores[labels].sum()
            return value, residual[:2] - residual[2]

        fitted = minimize(loss, np.zeros(2), jac=True).x
        errors.append(np.sum((np.append(fitted, -fitted.sum()) - theta) ** 2))
    risk = estimation_variance(fisher_information(counts, theta))
    deviation = abs(np.mean(errors) - risk)
    assert deviation < 3 * np.std(errors) / np.sqrt(120) + risk * 30 / 600
