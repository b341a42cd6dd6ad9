"""What the room publishes refuses numbers that have no meaning, by the name of the parameter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from theory import icl
from theory.core.errors import BenchError

ONE = np.eye(2)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: icl.independent_optimum([1.0], 3, -1.0), "sigma2 = -1.0"),
        (lambda: icl.independent_optimum([1.0], 0, 0.0), "n = 0"),
        (lambda: icl.independent_optimum([-1.0], 3, 0.0), "eigenvalues"),
        (lambda: icl.independent_optimum([float("nan")], 3, 0.0), "eigenvalues"),
        (lambda: icl.independent_optimum_matrix([[1, 2], [0, 1]], ONE, 3, 0.0), "feature_covariance"),
        (lambda: icl.risk_surface([[1.0]], ONE, ONE, 3, 0.0), "preconditioner"),
        (lambda: icl.risk_surface(ONE, ONE, -ONE, 3, 0.0), "task_covariance"),
        (lambda: icl.landscape(icl.covariances(ONE, ONE), 3, -0.5), "sigma2 = -0.5"),
        (lambda: icl.covariances(ONE, np.eye(3)), "task_covariance"),
        (lambda: icl.rag_optimum(5, 3, 1.5, 0.0), "alignment = 1.5 .* from -1 to 1"),
        (lambda: icl.rag_crossover(0, 0.5, 0.0), "dim = 0"),
        (lambda: icl.alignment_optimum(5, 3, float("inf"), 0.0), "alignment = inf"),
        (lambda: icl.retrieval_surface(5, 3, -1.5, 0.0), "alignment = -1.5"),
        (lambda: icl.low_rank_risks([1.0], 3, -1.0), "sigma2"),
        (lambda: icl.lora_risks([1.0, 2.0], [1.0], 3, 0.0), "new"),
        (lambda: icl.length_risk([1.0], 3, 0, 0.0), "n_test = 0"),
        (lambda: icl.task_correlation("ar1", 3, 2.0), "rho = 2.0"),
        (lambda: icl.task_correlation("period", 3, 0.5, 0), "period = 0"),
        (lambda: icl.task_correlation("walk", 3, 0.5), "kind = walk"),
        (lambda: icl.h3_optimum(ONE, np.ones(2), [1.0], 0.0), "task_corr"),
        (lambda: icl.h3_optimum(2 * ONE, np.zeros(2), [1.0], 0.0), "task_corr"),
        (lambda: icl.h3_optimum(np.eye(3), np.ones(2) / 2, [1.0], 0.0), "task_corr"),
        (lambda: icl.kalman_filter(0.5, 2.5, 1.0), "n = 2.5"),  # type: ignore[arg-type]
        (lambda: icl.kalman_risk(0.5, 3, 0, 1.0), "dim = 0"),
        (lambda: icl.steady_gain(0.5, -1.0), "tau = -1.0"),
        (lambda: icl.effective_preconditioner(ONE, ONE, np.eye(3), np.ones(2), 4), "value"),
        (lambda: icl.escape_delay(-1.0, 0.1, 100.0), "rate = -1.0"),
    ],
)
def test_meaningless_numbers_are_refused(call: Callable[[], object], said: str) -> None:
    with pytest.raises(BenchError, match=said):
        call()


def test_results_unpack_as_the_specification_says() -> None:
    risk, weights, gain = icl.independent_optimum([1.0, 1.0], 3, 0.0)
    assert np.isclose(risk, 1.0) and weights.shape == gain.shape == (2,)
    _, step = icl.independent_optimum_matrix(ONE, ONE, 3, 0.0)
    assert np.isclose(icl.risk_surface(step, ONE, ONE, 3, 0.0), risk)
    omega, preconditioner, least = icl.h3_optimum(*icl.task_correlation("ar1", 5, 1.0), np.ones(2), 0.0)
    assert omega.shape == (5,) and preconditioner.tolist() == [1.0, 1.0]
    assert np.isclose(least, icl.independent_optimum([1.0, 1.0], 5, 0.0).risk)
    assert icl.lora_risks([3.0, 1.0], [1.0, 1.0], 5, 0.1)[1].tolist() == [1, 0]  # where the weights change most
