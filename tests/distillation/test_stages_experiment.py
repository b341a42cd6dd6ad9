"""Fits in a row against explicit algebra and explicit data; the claims judged on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from theory.core.errors import Cancelled, DataError
from theory.core.judge import judge
from theory.core.parameters import restricted
from theory.core.result import stack
from theory.core.vocabulary import AnyClaim, Experiment, Replicate
from theory.distillation.claims.extensions import generations_claim
from theory.distillation.claims.penalties import ridge_versus_teacher
from theory.distillation.claims.rotation import rotated_teacher
from theory.distillation.claims.two_stage import two_stage_claim
from theory.distillation.data import draw
from theory.distillation.experiments.stages import generation_chain, penalties_of, ridge_penalties, two_stages
from theory.distillation.fitted_teachers import generations, two_stage
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats
from theory.distillation.simulation.stages import (
    fitted,
    generations_trial,
    moments,
    penalties_trial,
    two_stage_trial,
)
from theory.distillation.simulation.students import fit
from theory.shared.spectra import rotated_basis

INDEX = np.arange(1.0, 61)
EIGENVALUES, SIGNAL = INDEX**-1.5, INDEX**0.1


def stream(trial: int) -> np.random.Generator:
    return np.random.default_rng((11, trial))


@pytest.mark.parametrize(("samples", "seen", "ridge"), [(20, None, 0.0), (20, 12, 0.0), (20, 40, 0.0), (80, None, 0.3)])
def test_a_fit_is_the_pseudo_inverse_of_its_rows(samples: int, seen: int | None, ridge: float) -> None:
    columns = np.column_stack([SIGNAL, -SIGNAL])
    found = fitted(EIGENVALUES, columns, samples, stream(0), ridge, seen)
    generator, used = stream(0), 60 if seen is None else seen
    rows = generator.standard_normal((samples, 60)) * np.sqrt(EIGENVALUES)
    labels = np.column_stack([rows @ columns, generator.standard_normal(samples)])
    head = rows[:, :used]
    direct = np.linalg.pinv(head) @ labels
    if ridge:
        direct = np.linalg.solve(head.T @ head + ridge * np.eye(used), head.T @ labels)
    assert np.allclose(found[:used], direct, rtol=1e-8, atol=1e-9)
    assert np.all(found[used:] == 0)


@pytest.mark.parametrize("seen", [60, 25])
def test_drawing_the_triangle_replaces_drawing_the_rows(seen: int) -> None:
    """Mean and spread of the error's size agree with least squares on explicit rows, hidden features included."""
    triangle, rows = np.zeros((200, 2)), np.zeros((200, 2))
    for trial in range(200):
        found = fitted(EIGENVALUES, SIGNAL[:, None], 90, stream(trial), seen=seen)
        generator = stream(10_000 + trial)
        data = generator.standard_normal((90, 60)) * np.sqrt(EIGENVALUES)
        labels = np.column_stack([data @ SIGNAL, generator.standard_normal(90)])
        direct = np.linalg.lstsq(data[:, :seen], labels, rcond=None)[0]
        for store, fits in ((triangle, found[:seen]), (rows, direct)):
            error = fits - np.column_stack([SIGNAL[:seen], np.zeros(seen)])
            store[trial] = EIGENVALUES[:seen] @ error**2
    judged = slice(0, 2) if seen < 60 else slice(1, 2)  # without hidden features the truth is found exactly
    gap = (triangle.mean(axis=0) - rows.mean(axis=0))[judged]
    assert np.all(np.abs(gap) < 4 * np.sqrt((triangle.var(axis=0) + rows.var(axis=0)) / 200)[judged])
    spread = np.log(triangle.std(axis=0)[judged] / rows.std(axis=0)[judged])
    assert np.all(np.abs(spread) < 0.3)
    assert seen < 60 or triangle[:, 0].max() < 1e-20


def test_a_student_on_its_teachers_own_rows_returns_the_teacher() -> None:
    rows = stream(0).standard_normal((20, 60)) * np.sqrt(EIGENVALUES)
    teacher = fit(rows, rows @ SIGNAL[:, None] + stream(1).standard_normal((20, 1)))
    assert np.allclose(fit(rows, rows @ teacher), teacher, atol=1e-9)


def test_moments_give_the_risk_at_every_noise_level() -> None:
    """The quadratic forms against one explicit teacher and student with noise in both training sets."""
    basis = rotated_basis(60, 0.3, stream(5))
    found = two_stage_trial(EIGENVALUES, EIGENVALUES, SIGNAL, 20, 35, stream(0), teacher_basis=basis)
    generator = stream(0)
    teacher_rows = generator.standard_normal((35, 60)) * np.sqrt(EIGENVALUES) @ basis.T
    teacher_noise = generator.standard_normal(35)
    rows, noise = generator.standard_normal((20, 60)) * np.sqrt(EIGENVALUES), generator.standard_normal(20)
    taught = np.linalg.pinv(teacher_rows) @ (teacher_rows @ SIGNAL + 0.5 * teacher_noise)
    student = np.linalg.pinv(rows) @ (rows @ taught + 0.3 * noise)
    strong = np.linalg.pinv(rows) @ (rows @ SIGNAL + 0.3 * noise)
    weights = np.array([[1, 0.5, 0.3], [1, 0.5, 0], [1, 0, 0.3]])
    direct = [float(EIGENVALUES @ (fitted_to - SIGNAL) ** 2) for fitted_to in (student, taught, strong)]
    assert np.einsum("ai,aij,aj->a", weights, found, weights) == pytest.approx(direct, rel=1e-8)
    assert moments(EIGENVALUES, SIGNAL[:, None])[0, 0] == pytest.approx(float(EIGENVALUES @ SIGNAL**2))


def test_generations_are_fits_of_fits() -> None:
    found = generations_trial(EIGENVALUES, SIGNAL, (40, 15), stream(0))
    generator, taught, risks = stream(0), SIGNAL, []
    for size, scale in ((40, 0.5), (15, 0.2)):
        rows = generator.standard_normal((size, 60)) * np.sqrt(EIGENVALUES)
        taught = np.linalg.pinv(rows) @ (rows @ taught + scale * generator.standard_normal(size))
        risks.append(float(EIGENVALUES @ (taught - SIGNAL) ** 2))
    weights = np.array([1, 0.5, 0.2])
    assert np.einsum("i,gij,j->g", weights, found, weights) == pytest.approx(risks, rel=1e-8)


@pytest.mark.parametrize("samples", [20, 90])
def test_one_eigendecomposition_serves_every_penalty(samples: int) -> None:
    penalties = np.array([0.01, 0.5, 20.0])
    teachers = np.column_stack([SIGNAL * 0.5, SIGNAL, SIGNAL * 2])
    found = penalties_trial(EIGENVALUES, SIGNAL, teachers, penalties, samples, stream(0))
    generator = stream(0)
    rows = generator.standard_normal((samples, 60)) * np.sqrt(EIGENVALUES)
    noise = generator.standard_normal(samples)
    for column, penalty in enumerate(penalties):
        for arm, taught in enumerate((SIGNAL, teachers[:, column])):
            weights = np.linalg.solve(
                rows.T @ rows + penalty * np.eye(60), rows.T @ (rows @ taught + np.sqrt(0.7) * noise)
            )
            risk = found[arm, column] @ [1, np.sqrt(0.7), 0.7]
            assert risk == pytest.approx(float(EIGENVALUES @ (weights - SIGNAL) ** 2), rel=1e-8)


def risks_of(trials: Floats, weights: Floats) -> tuple[Floats, Floats]:
    values = np.einsum("i,raij,j->ra", weights, trials, weights)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def test_simulation_meets_the_predicted_numbers() -> None:
    """A weak noisy teacher whose student is better than it, and a chain of three generations."""
    index = np.arange(1.0, 301)
    lam, signal = index**-2.0, index**0.25
    trials = [two_stage_trial(lam, lam, signal, 100, 120, stream(t), teacher_features=60) for t in range(80)]
    mean, error = risks_of(np.array(trials), np.array([1, np.sqrt(0.3), 0]))
    student, teacher = two_stage(lam, lam, signal, 100, 120, 0.0, 0.3, teacher_features=60)
    assert np.all(np.abs(mean[:2] - [student.risk, teacher.risk]) < 4 * error[:2] + 0.02)
    assert mean[0] + 4 * error[0] < mean[1]
    lam, signal = index**-1.5, np.ones(300)
    chains = np.array([generations_trial(lam, signal, (150, 60, 20), stream(t)) for t in range(60)])
    mean, error = risks_of(chains, np.array([1, np.sqrt(0.3), 0, 0]))
    expected = [stage.risk for stage in generations(lam, signal, (150, 60, 20), (0.3, 0, 0))]
    assert np.all(np.abs(mean - expected) < 4 * error + 0.03 * np.array(expected))


CASES: list[tuple[Experiment[Any, Any], dict[str, Any]]] = [
    (two_stages, {"n_teacher_samples": 40, "rotation": 0.2}),
    (generation_chain, {"generation_sizes": (40, 10)}),
    (ridge_penalties, {}),
]


@pytest.mark.parametrize(("experiment", "values"), CASES, ids=lambda item: getattr(item, "id", ""))
def test_trials_do_not_depend_on_their_neighbours(experiment: Experiment[Any, Any], values: dict[str, Any]) -> None:
    params = Params(n_features=60, n_samples=20, replicates=3, **values)
    problem = draw(params, 0)
    few = params.model_copy(update={"replicates": 2})
    many = experiment.run(params, [Replicate(problem, 4), Replicate(problem, 5)], "cpu", _ignore, lambda: False)
    alone = experiment.run(few, [Replicate(problem, 5)], "cpu", _ignore, lambda: False)
    assert many[1].isel(replicate=slice(2)).identical(alone[0])
    with pytest.raises(Cancelled):
        experiment.run(params, [Replicate(problem, 4)], "cpu", _ignore, lambda: True)
    assert experiment.plan(params, problem, 8).seconds > 0
    assert experiment.uses <= set(Params.model_fields)


def _ignore(fraction: float, partial: object) -> None:
    assert 0 < fraction <= 1


def test_what_float64_cannot_fit_says_so() -> None:
    with pytest.raises(DataError, match="gram_singular"):
        fitted(np.exp(-np.arange(60.0)), SIGNAL[:, None], 50, stream(0))
    params = Params(n_features=60, n_samples=50, spectrum="exponential", rate=1.0, replicates=2)
    raw = ridge_penalties.run(params, [Replicate(draw(params, 0), 0)], "cpu", _ignore, lambda: False)[0]
    assert "not_run" in raw.attrs


def test_penalties_scale_with_the_spectrum() -> None:
    params = Params(n_features=60)
    penalties = penalties_of(draw(params, 0))
    assert penalties[0] == 0 and penalties[-1] == pytest.approx(100 * float(np.sum(INDEX**-2.0)))


@pytest.mark.parametrize(
    ("claim", "values"),
    [
        (
            two_stage_claim,
            {"n_features": 100, "n_samples": 30, "n_teacher_samples": 3000, "noise_variance_teacher": 0.0},
        ),
        (two_stage_claim, {"n_features": 120, "n_samples": 60, "n_teacher_samples": 60, "ridge": 0.5}),
        (rotated_teacher, {"n_features": 100, "n_samples": 40, "n_teacher_samples": 60, "rotation": 1.0}),
        (generations_claim, {"n_features": 120, "generation_sizes": (600, 60, 50), "generation_noises": (0.5,)}),
        (ridge_versus_teacher, {"n_features": 120, "noise_variance_target": 0.0}),
        (ridge_versus_teacher, {"n_features": 120, "noise_variance_target": 0.5, "noisy_arms": "strong_only"}),
    ],
)
def test_claims_are_not_refuted_elsewhere(claim: AnyClaim, values: dict[str, Any]) -> None:
    params = Params.model_validate({**claim.defaults, **values})
    problem = draw(params, 0)
    inside, seen = (restricted(params, names, claim.id) for names in (claim.experiment.uses, claim.reads))
    raws = claim.experiment.run(inside, [Replicate(problem, s) for s in range(4)], "cpu", _ignore, lambda: False)
    prediction = claim.predict(restricted(params, claim.uses, claim.id), problem)
    checks = claim.compare(seen, problem, prediction, claim.measure(seen, problem, stack(raws)))
    verdict = judge(checks, claim.assumptions(params, problem), claim.kind)
    assert verdict.status in ("holds", "inconclusive"), verdict.explanation
