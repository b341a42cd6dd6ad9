"""The two-stage risk at a room's parameters, and its curve over teachers of every sample size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.distillation.effective_ridge import stats
from theory.distillation.fitted_teachers import Stage, two_stage
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Regression
from theory.distillation.student_risk import optimal_surrogate, risk_of


@dataclass(frozen=True, eq=False)
class TwoStageCurve:
    """Risks of ``student`` and ``teacher`` (N,) along ``n_teacher_samples`` (N,), and two levels to compare with.

    ``strong`` is the risk with true labels and ``optimal`` that with the best teacher of arXiv 2410.18837.
    ``teacher_free_samples`` (N,) shows the peak where the teacher's samples reach its features.
    """

    n_teacher_samples: Floats
    student: Floats
    teacher: Floats
    teacher_free_samples: Floats
    strong: float
    optimal: float


def features_seen(params: Params, problem: Regression) -> int:
    """How many features the teacher sees."""
    weak = params.teacher_features
    return problem.n_features if weak is None else min(weak, problem.n_features)


def label_noises(params: Params) -> Floats:
    """Noise variance of the labels that the student of the teacher, and the strong-label student, see."""
    noise = params.noise_variance_target
    return np.array([0.0 if params.noisy_arms == "strong_only" else noise, noise])


def student_and_teacher(
    params: Params,
    problem: Regression,
    n_teacher_samples: float | None = None,
    n_samples: float | None = None,
    *,
    noisy: bool = True,
    basis: Floats | None = None,
) -> tuple[Stage, Stage]:
    """Both stages at the parameters, or at other sample sizes, without label noise, or in another teacher's basis.

    Outside the theory (n reaches p without ridge) the student is the one just below p.
    """
    most = np.inf if params.ridge > 0 else problem.n_features - 0.5
    return two_stage(
        problem.eigenvalues,
        problem.teacher_eigenvalues,
        problem.signal,
        min(float(params.n_samples if n_samples is None else n_samples), most),
        float(params.n_teacher_samples if n_teacher_samples is None else n_teacher_samples),
        float(label_noises(params)[0]) if noisy else 0.0,
        params.noise_variance_teacher if noisy else 0.0,
        ridge=params.ridge,
        teacher_features=features_seen(params, problem),
        teacher_basis=problem.teacher_basis if basis is None else basis,
    )


def two_stage_curve(params: Params, problem: Regression, teacher_sizes: Floats) -> TwoStageCurve:
    """Student and teacher for every teacher's sample size in ``teacher_sizes`` (N,); about 0.3 ms each at p = 500.

    Raises:
        ParameterError: n reaches p without ridge.

    >>> from theory.distillation.data import draw
    >>> params = Params(n_features=600, n_samples=40)
    >>> curve = two_stage_curve(params, draw(params, 0), np.array([40.0, 130.0, 6000.0]))
    >>> (curve.student / curve.strong).round(2).tolist()  # a middling teacher is better than a perfect one
    [1.11, 0.88, 1.0]
    """
    sizes = np.asarray(teacher_sizes, dtype=np.float64)
    pairs = [student_and_teacher(params, problem, size) for size in sizes.tolist()]
    found = stats(problem.eigenvalues, params.n_samples, params.ridge)
    columns = np.column_stack([problem.signal, optimal_surrogate(found, problem.signal)])
    clean = risk_of(found, problem.eigenvalues, problem.signal, columns).risk
    levels = clean + found.noise_amplification * label_noises(params)[::-1]
    return TwoStageCurve(
        sizes,
        np.array([student.risk for student, _ in pairs]),
        np.array([teacher.risk for _, teacher in pairs]),
        np.array([teacher.free_samples for _, teacher in pairs]),
        float(levels[0]),
        float(levels[1]),
    )
