"""How trained layers are judged: what is a failure, what is undecided, and which models count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from xarray import Dataset

from theory.core.judge import judge
from theory.icl.claims.best_steps import best_step
from theory.icl.claims.equivalence import PROMPTS
from theory.icl.claims.trained import allowance, arrived, risk_checks
from theory.icl.data import draw
from theory.icl.optimum import independent_optimum_matrix
from theory.icl.parameters import Params

MODELS, COUNT, DIM = 4, 3000, 3


def raw(excess: list[float], fall: float = 0.0) -> tuple[Dataset, Any]:
    """Models whose directions are off the best ones by noise of the given mean squares."""
    generator = np.random.default_rng(0)
    best = generator.standard_normal((MODELS, COUNT, DIM))
    shape = (MODELS, COUNT, DIM)
    task = best + generator.standard_normal(shape)
    off = generator.standard_normal(shape) * np.sqrt(np.array(excess) / DIM)[:, None, None]
    vector = ("seed", "prompt", "feature")
    data = {
        "task": (vector, task),
        "odd": (vector, best + off),
        "even": (vector, np.zeros(shape)),
        "query_mean": (vector, np.zeros(shape)),
        "query_root": (("seed", "feature", "factor"), np.tile(np.eye(DIM), (MODELS, 1, 1))),
        "fall": (("seed",), np.full(MODELS, fall)),
        "fall_error": (("seed",), np.full(MODELS, 1e-4)),
    }
    return Dataset(data), best


def status(excess: list[float], fall: float = 0.0, shift: float = 0.0) -> str:
    data, best = raw(excess, fall)
    found = arrived(data, best * (1 + shift), float(DIM), 0.01, 0.05)
    return judge(risk_checks(data, found, float(DIM), 0.01, 0.05), (), "theorem").status


def test_models_at_the_optimum_hold() -> None:
    assert status([0.003] * MODELS) == "holds"


def test_models_above_it_fail_once_they_have_settled() -> None:
    assert status([0.3] * MODELS) == "fails"


def test_models_that_still_fall_are_undecided_never_a_failure() -> None:
    assert status([0.3] * MODELS, fall=0.5) == "inconclusive"


def test_a_model_in_another_minimum_does_not_count() -> None:
    assert status([0.003, 0.003, 2.0, 0.003]) == "holds"


def test_beating_the_predicted_best_fails_even_while_losses_fall() -> None:
    assert status([0.003] * MODELS, shift=0.5) == "fails"
    assert status([0.003] * MODELS, fall=0.5, shift=0.5) == "fails"


def test_the_allowance_shrinks_with_prompts_and_grows_with_a_sampled_query() -> None:
    params = Params(steps=1000, batch_size=256)
    assert allowance(params, 5, 25) == pytest.approx(16 * 25 / 256_000)
    assert allowance(params.with_values(query="sampled"), 5, 25) == pytest.approx(160 * 25 / 256_000)


def test_best_steps_agree_where_designs_coincide() -> None:
    """No alignment, no drift: every design is the independent one."""
    base = Params(dim=4, context_length=7, spectrum_decay=0.0, alignment=0.0, task_correlation=1.0)
    problem = draw(base, 0)
    risk, step = independent_optimum_matrix(np.eye(4), np.eye(4), 7, base.noise_variance)
    for design in ("independent", "rag", "alignment", "drift"):
        for weighted in (False, True):
            found = best_step(base.with_values(design=design), problem, weighted=weighted)
            assert found.risk == pytest.approx(risk, rel=1e-12)
            assert np.allclose(found.preconditioner * found.omega[0], step)


def test_every_parameter_named_exists() -> None:
    assert set(Params.model_fields) >= PROMPTS
