"""The two-stage risk against limits, dense matrices, its own curve and the numbers of an independent computation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.core.errors import ParameterError
from theory.distillation.claims.rotation import rotated_teacher
from theory.distillation.claims.stages import finite_size
from theory.distillation.claims.two_stage import two_stage_claim
from theory.distillation.data import draw
from theory.distillation.effective_ridge import stats
from theory.distillation.fitted_teachers import two_stage, two_stage_dense
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats
from theory.distillation.stage_curves import features_seen, student_and_teacher, two_stage_curve
from theory.distillation.student_risk import risk
from theory.shared.spectra import rotated_basis


def power_law(size: int, alpha: float, beta: float) -> tuple[Floats, Floats]:
    index = np.arange(1.0, size + 1)
    return index**-alpha, index ** ((alpha - beta) / 2)


def test_numbers_of_an_independent_computation() -> None:
    lam, signal = power_law(150, 1.5, 1.3)
    assert two_stage(lam, lam, signal, 50, 50)[0].risk == pytest.approx(0.7425, abs=5e-5)
    assert two_stage(lam, lam, signal, 50, 100, 0.0, 0.05)[0].risk == pytest.approx(0.6757, abs=5e-5)
    assert two_stage(lam, lam, signal, 50, 30, 0.05, 0.05)[0].risk == pytest.approx(1.0370, abs=5e-5)
    assert two_stage(lam, lam, signal, 50, 300, 0.0, 0.5)[0].risk == pytest.approx(0.9331, abs=5e-5)
    lam, signal = power_law(300, 2.0, 1.5)
    student, teacher = two_stage(lam, lam, signal, 100, 120, 0.0, 0.3, teacher_features=60)
    assert (student.risk, teacher.risk) == pytest.approx((0.5063, 0.5835), abs=5e-5)
    student, teacher = two_stage(lam, lam, signal, 60, 400, 0.0, 1.0, teacher_features=150)
    assert (student.risk, teacher.risk) == pytest.approx((0.768, 0.676), abs=5e-4)


def test_a_perfect_teacher_gives_strong_labels() -> None:
    lam, signal = power_law(200, 2.0, 1.5)
    student, teacher = two_stage(lam, np.ones(200), signal, 60, 1e9, 0.2)
    assert student.risk == pytest.approx(float(risk(lam, signal, signal, 60, 0.2).risk), rel=1e-9)
    assert teacher.risk == 0


def test_without_signal_only_noise_is_left() -> None:
    lam, teacher_lam = power_law(200, 2.0, 1.5)[0], power_law(200, 1.4, 1.5)[0]
    student, teacher = two_stage(lam, teacher_lam, np.zeros(200), 60, 90, 0.2, 0.7)
    found, taught = stats(lam, 60), stats(teacher_lam, 90)
    gamma2 = 0.7 / taught.one_minus_overfitting
    scatter = lam / teacher_lam * taught.learnt_fraction**2 * gamma2 / 90
    carried = found.learnt_fraction**2 + found.noise_amplification * found.unlearnt_fraction**2
    assert teacher.risk == pytest.approx(float(scatter.sum()), rel=1e-12)
    assert student.risk == pytest.approx(float(scatter @ carried) + found.noise_amplification * 0.2, rel=1e-12)


@given(st.integers(0, 5_000), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([20, 45, 90]))
@settings(max_examples=30)
def test_turned_teachers_agree_with_dense_matrices(seed: int, rotation: float, teacher_size: int) -> None:
    generator = np.random.default_rng(seed)
    lam = np.sort(np.exp(-4 * generator.random(60)))[::-1]
    teacher_lam = np.sort(np.exp(-4 * generator.random(60)))[::-1]
    signal = generator.standard_normal(60)
    basis = rotated_basis(60, rotation, generator)
    student, teacher = two_stage(lam, teacher_lam, signal, 25, teacher_size, 0.1, 0.2, teacher_basis=basis)
    turn = rotated_basis(60, 1.0, generator)  # the dense formula knows no preferred coordinates
    expected = two_stage_dense(
        (turn * lam) @ turn.T,
        (turn @ basis * teacher_lam) @ (turn @ basis).T,
        turn @ signal,
        25,
        teacher_size,
        0.1,
        0.2,
    )
    assert (student.risk, teacher.risk) == pytest.approx(expected, rel=1e-7)
    if rotation == 0:
        aligned = two_stage(lam, teacher_lam, signal, 25, teacher_size, 0.1, 0.2)
        assert (student.risk, teacher.risk) == pytest.approx((aligned[0].risk, aligned[1].risk), rel=1e-9)


def test_a_weak_teacher_in_its_own_coordinates_takes_the_rest_for_noise() -> None:
    lam, signal = power_law(80, 1.5, 1.3)
    basis = rotated_basis(80, 0.4, np.random.default_rng(0))
    weak = two_stage(lam, lam, signal, 20, 200, teacher_features=30, teacher_basis=basis)[1]
    truth = basis.T @ signal
    hidden = float(lam[30:] @ truth[30:] ** 2)
    missed = basis[:, 30:] @ truth[30:]
    scatter = hidden / (1 - 30 / 200) / 200 * lam @ (basis[:, :30] ** 2 / lam[:30]).sum(axis=1)
    assert weak.risk == pytest.approx(float(lam @ missed**2 + scatter), rel=1e-9)


def test_a_middling_teacher_is_better_than_the_truth() -> None:
    params = Params(n_features=600, n_samples=40)
    problem = draw(params, 0)
    sizes = np.geomspace(20, 12_000, 60).round()
    curve = two_stage_curve(params, problem, sizes)
    ratio = curve.student / curve.strong
    best = int(ratio.argmin())
    assert ratio[best] == pytest.approx(0.88, abs=0.005) and 110 < sizes[best] < 160
    assert curve.optimal < curve.student.min() and curve.strong == pytest.approx(0.49208, abs=5e-5)
    assert ratio[-1] == pytest.approx(1, abs=1e-6) and curve.teacher[-1] == pytest.approx(0, abs=1e-9)
    student, teacher = student_and_teacher(params, problem, float(sizes[7]))
    assert (curve.student[7], curve.teacher[7]) == (student.risk, teacher.risk)
    assert curve.teacher_free_samples[7] == teacher.free_samples


def test_curve_knows_which_labels_are_noisy() -> None:
    params = Params(n_features=100, n_samples=30, noise_variance_target=0.4, noisy_arms="strong_only")
    curve = two_stage_curve(params, draw(params, 0), np.array([50.0]))
    clean = two_stage_curve(Params(n_features=100, n_samples=30), draw(params, 0), np.array([50.0]))
    assert curve.student[0] == clean.student[0] and curve.optimal == pytest.approx(clean.optimal)
    assert curve.strong > clean.strong
    assert features_seen(Params(n_features=100, teacher_features=5000), draw(params, 0)) == 100


def test_student_that_cannot_interpolate_is_refused() -> None:
    with pytest.raises(ParameterError, match="n_samples"):
        two_stage(np.ones(10), np.ones(10), np.ones(10), 10, 20)


@pytest.mark.parametrize(
    ("values", "broken"),
    [
        ({"rotation": 0.3}, "aligned covariances"),
        ({"n_teacher_samples": 290}, "teacher off its peak"),
        ({"n_teacher_samples": 10}, "teacher with enough effective samples"),
        ({"n_samples": 10, "spectrum_exponent": 3.0}, "enough effective samples"),
        ({"teacher_features": 155}, "teacher off its peak"),
        ({"n_samples": 310}, "n below p, or ridge"),
        ({"spectrum": "exponential", "rate": 0.5, "n_teacher_samples": 100}, "teacher's spectrum within 14 decades"),
    ],
)
def test_left_assumptions_are_named(values: dict[str, Any], broken: str) -> None:
    params = Params.model_validate({**two_stage_claim.defaults, **values})
    problem = draw(params, 0)
    left = [assumption.name for assumption in two_stage_claim.assumptions(params, problem) if not assumption.holds]
    assert broken in left
    prediction = two_stage_claim.predict(params, problem)
    assert all(np.isfinite(variable.values).all() for variable in prediction.data_vars.values())


def test_rotation_is_inside_the_extension() -> None:
    params = Params.model_validate(dict(rotated_teacher.defaults))
    problem = draw(params, 0)
    assert all(assumption.holds for assumption in rotated_teacher.assumptions(params, problem))


def test_finite_size_errors_follow_the_local_slopes() -> None:
    """Risks n^-2 (signal) and n^0 (noise) have known slopes; a stage that does not reach a risk adds nothing."""

    def parts(sizes: Floats) -> Floats:
        return np.array([[sizes[0] ** -2.0, 1.0], [0.0, 1.0]])

    found = finite_size(parts, (10, 20), (1000, 20.5), (8.0, 16.0), np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert found == pytest.approx([0.6 * 5 / 8, (0.6 + 1.2) / 2 / 16])
