"""Generations of distillation: the recursion against the two-stage formula, limits, and the claim's edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from theory.core.errors import ParameterError
from theory.distillation.claims.extensions import generations_claim
from theory.distillation.data import draw
from theory.distillation.effective_ridge import compressed
from theory.distillation.fitted_teachers import generations, two_stage
from theory.distillation.generation_chain import chain_of
from theory.distillation.parameters import Params
from theory.distillation.power_law import power_law_nodes
from theory.distillation.student_risk import risk

INDEX = np.arange(1.0, 801)
EIGENVALUES, SIGNAL = INDEX**-1.5, np.ones(800)


def test_numbers_of_an_independent_computation() -> None:
    risks = [stage.risk for stage in generations(EIGENVALUES, SIGNAL, (400, 120, 40), (0.3, 0.0, 0.0))]
    assert risks == pytest.approx([0.5436, 0.5014, 0.5811], abs=5e-5)  # the second is better than the first


@pytest.mark.parametrize("first", [150, 900, 5_000])
def test_first_two_generations_are_teacher_and_student(first: int) -> None:
    chain = generations(EIGENVALUES, SIGNAL, (first, 60), (0.4, 0.1))
    student, teacher = two_stage(EIGENVALUES, EIGENVALUES, SIGNAL, 60, first, 0.1, 0.4)
    assert [stage.risk for stage in chain] == pytest.approx([teacher.risk, student.risk], rel=1e-12)
    alone = generations(EIGENVALUES, SIGNAL, (150,), (0.4,))[0]
    assert alone.risk == pytest.approx(float(risk(EIGENVALUES, SIGNAL, SIGNAL, 150, 0.4).risk), rel=1e-12)


def test_equal_eigenvalues_shrink_by_a_textbook_factor() -> None:
    """Identity covariance: the mean keeps n/p of itself every time, and the scatter is what the norm leaves."""
    signal = np.random.default_rng(0).standard_normal(40)
    first, second = generations(np.ones(40), signal, (20, 10), (0.0, 0.0))
    norm = float(signal @ signal)
    assert first.mean == pytest.approx(0.5 * signal) and second.mean == pytest.approx(0.125 * signal)
    # A projection of rank n keeps the share n/p of the squared norm.
    assert float(np.sum(first.mean**2 + first.variance)) == pytest.approx(0.5 * norm)
    assert float(np.sum(second.mean**2 + second.variance)) == pytest.approx(0.125 * norm)


def test_multiplicities_replace_repeated_eigenvalues() -> None:
    values, counts = np.array([1.0, 0.2, 0.03]), np.array([10.0, 30.0, 60.0])
    long = np.repeat(values, counts.astype(int))
    for sizes in ((50, 20), (300, 20)):
        short = generations(values, np.ones(3), sizes, (0.2, 0.1), counts)
        full = generations(long, np.ones(100), sizes, (0.2, 0.1))
        assert [stage.risk for stage in short] == pytest.approx([stage.risk for stage in full], rel=1e-9)
    assert compressed(long)[0].shape == (100,)


@pytest.mark.parametrize(("alpha", "floor"), [(1.2, 0.0398), (1.5, 0.2489), (2.0, 0.997), (3.0, 3.991)])
def test_pure_noise_is_multiplied_by_alpha_minus_one(alpha: float, floor: float) -> None:
    """Infinitely many features, ever fewer samples: distilling cleans noise below alpha = 2 and adds to it above."""
    nodes, weights = power_law_nodes(alpha, np.inf, [1e3, 1e6])
    chain = generations(nodes**-alpha, np.zeros(len(nodes)), (10**6, 10**3), (1.0, 0.0), weights)
    assert chain[0].risk == pytest.approx(alpha - 1, rel=1e-3)
    assert chain[1].risk == pytest.approx(floor, rel=5e-4)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"generation_sizes": ()}, "generation_sizes"),
        ({"generation_sizes": (0, 3)}, "generation_sizes"),
        ({"generation_sizes": (9,) * 21}, "generation_sizes"),
        ({"generation_sizes": (9,), "generation_noises": (0.1, 0.1)}, "generation_noises"),
        ({"generation_sizes": (9,), "generation_noises": (-0.1,)}, "generation_noises"),
    ],
)
def test_chains_that_make_no_sense_are_refused(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        chain_of(Params.model_validate(values))


def test_without_sizes_the_chain_is_teacher_and_student() -> None:
    params = Params(noise_variance_teacher=0.2, noise_variance_target=0.1)
    assert chain_of(params) == ((130, 200), (0.2, 0.1))
    problem = draw(params, 0)
    student, _ = two_stage(problem.eigenvalues, problem.eigenvalues, problem.signal, 200, 130, 0.1, 0.2)
    predicted = generations_claim.predict(params, problem)
    assert float(predicted.risk[1]) == pytest.approx(student.risk, rel=1e-12)


def test_a_generation_at_its_peak_is_outside() -> None:
    params = Params(n_features=400, generation_sizes=(390, 40, 9), spectrum_exponent=3.0)
    left = [a.name for a in generations_claim.assumptions(params, draw(params, 0)) if not a.holds]
    assert "generation 1 off its peak" in left and "generation 3 with enough effective samples" in left
