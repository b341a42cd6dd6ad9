"""Teachers that are themselves fitted: the two-stage risk, weak teachers, generations, and rotated covariances.

A fit with n samples maps the mean mu and variance v of each coordinate's labels to ``(1 - zeta) mu`` and
``(1 - zeta)^2 (v + gamma^2 / (n lambda))`` with ``gamma^2 = (sigma^2 + sum lambda zeta^2 (mu^2 + v)) / (1 - Omega)``.
Two such maps are the two-stage risk of arXiv 2410.18837 (our reconstruction); more are generations of distillation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from theory.core.errors import ParameterError
from theory.distillation.effective_ridge import Stats, stats
from theory.distillation.problem import Floats, as_long, at_least


@dataclass(frozen=True, eq=False)
class Stage:
    """One fitted model: ``mean`` and ``variance`` of every coordinate (p,), its ``risk`` against the truth.

    ``gamma2`` is its own noise level and ``free_samples`` [n_free] what controls finite-size errors.
    """

    mean: Floats
    variance: Floats
    gamma2: float
    free_samples: float
    risk: float


def two_stage(
    eigenvalues: Floats,
    teacher_eigenvalues: Floats,
    signal: Floats,
    n_samples: float,
    n_teacher_samples: float,
    noise_target: float = 0.0,
    noise_teacher: float = 0.0,
    *,
    ridge: float = 0.0,
    teacher_features: int | None = None,
    teacher_basis: Floats | None = None,
) -> tuple[Stage, Stage]:
    """Student and teacher. The teacher fits m samples of its own covariance, the student n labels of the teacher.

    Shapes: eigenvalues and signal (p,). With m at least the number of its features the teacher is least squares. A
    weak teacher sees the first ``teacher_features`` coordinates only; the others are noise to it (exact for Gaussian
    features). ``teacher_basis`` (p, p) holds the eigenvectors of the teacher's covariance as columns where they are not
    the student's (ours): the teacher is then weak in its own coordinates, and of its scatter only the diagonal in the
    student's eigenbasis counts.

    Raises:
        ParameterError: n reaches p without ridge; a negative noise, no samples, or features that the teacher lacks.
        DataError: shapes do not fit.
    """
    at_least(0, noise_target=noise_target, noise_teacher=noise_teacher)
    as_long(eigenvalues, teacher_eigenvalues=teacher_eigenvalues, signal=signal)
    if teacher_features is not None and not 1 <= teacher_features <= len(signal):
        raise ParameterError("teacher_features", teacher_features, f"a whole number from 1 to {len(signal)}")
    seen = len(signal) if teacher_features is None else teacher_features
    truth = signal if teacher_basis is None else teacher_basis.T @ signal
    hidden = float(teacher_eigenvalues[seen:] @ truth[seen:] ** 2)
    fitted = _after(
        _unpenalised(teacher_eigenvalues[:seen], n_teacher_samples),
        teacher_eigenvalues[:seen],
        n_teacher_samples,
        truth[:seen],
        np.zeros(seen),
        noise_teacher + hidden,
    )
    rest = np.zeros(len(signal) - seen)
    mean, variance = np.concatenate([fitted.mean, rest]), np.concatenate([fitted.variance, rest])
    if teacher_basis is not None:
        mean, variance = teacher_basis @ mean, teacher_basis**2 @ variance
    teacher = _judged(replace(fitted, mean=mean, variance=variance), eigenvalues, signal)
    final = _after(stats(eigenvalues, n_samples, ridge), eigenvalues, n_samples, mean, variance, noise_target)
    return _judged(final, eigenvalues, signal), teacher


def generations(
    eigenvalues: Floats,
    signal: Floats,
    sizes: Sequence[float],
    noises: Sequence[float],
    weights: Floats | None = None,
) -> list[Stage]:
    """A chain of students, each fitted on labels of the one before; one entry per generation (ours).

    ``sizes`` are their sample sizes and ``noises`` their label noise variances; ``weights`` as in the spectrum's sums.
    A generation with at least as many samples as features is least squares.

    Raises:
        ParameterError: a size below 1, a negative noise, or not one noise for each size. DataError: shapes do not fit.
    """
    as_long(eigenvalues, signal=signal)
    if len(noises) != len(sizes):
        raise ParameterError("noises", list(noises), f"one noise variance for each of the {len(sizes)} sizes")
    at_least(0, **{f"noises[{position}]": noise for position, noise in enumerate(noises)})
    mean, variance = signal, np.zeros(len(signal))
    found: list[Stage] = []
    for size, noise in zip(sizes, noises, strict=True):
        spectrum = _unpenalised(eigenvalues, size, weights)
        fitted = _after(spectrum, eigenvalues, size, mean, variance, noise, weights)
        mean, variance = fitted.mean, fitted.variance
        found.append(_judged(fitted, eigenvalues, signal, weights))
    return found


def two_stage_dense(
    covariance: Floats,
    teacher_covariance: Floats,
    signal: Floats,
    n_samples: float,
    n_teacher_samples: float,
    noise_target: float = 0.0,
    noise_teacher: float = 0.0,
) -> tuple[float, float]:
    """Risks (student, teacher) for covariances (p, p) that need not commute; O(p^3) (ours).

    Raises:
        ParameterError: n reaches p; a negative noise; a covariance that is not positive definite.
    """
    at_least(0, noise_target=noise_target, noise_teacher=noise_teacher)
    values, vectors = np.linalg.eigh(covariance)
    found = stats(values, n_samples)
    shrink = (vectors * found.learnt_fraction) @ vectors.T
    missed = (vectors * found.unlearnt_fraction) @ vectors.T
    teacher_values, teacher_vectors = np.linalg.eigh(teacher_covariance)
    taught = _unpenalised(teacher_values, n_teacher_samples)
    mean = (teacher_vectors * taught.learnt_fraction) @ teacher_vectors.T @ signal
    error = signal - mean
    gamma2 = (noise_teacher + error @ teacher_covariance @ error) / taught.one_minus_overfitting
    spread = taught.learnt_fraction**2 / teacher_values * gamma2 / n_teacher_samples
    scatter = (teacher_vectors * spread) @ teacher_vectors.T
    amplification = found.noise_amplification
    weight = shrink @ covariance @ shrink + amplification * missed @ covariance @ missed
    bias = shrink @ mean - signal
    student = (
        bias @ covariance @ bias
        + amplification * (noise_target + mean @ missed @ covariance @ missed @ mean)
        + np.sum(weight * scatter)
    )
    return float(student), float(error @ covariance @ error + np.sum(covariance * scatter))


def _unpenalised(eigenvalues: Floats, n_samples: float, weights: Floats | None = None) -> Stats:
    """Statistics of a fit without ridge: with more samples than features, least squares learns every coordinate."""
    at_least(1, n_samples=n_samples)
    count = float(len(eigenvalues)) if weights is None else float(weights.sum())
    if n_samples < count:
        return stats(eigenvalues, n_samples, 0.0, weights)
    if not float(eigenvalues.min()) > 0:
        raise ParameterError("eigenvalues", float(eigenvalues.min()), "positive numbers")
    overfitting = count / n_samples
    free = max(1 - overfitting, 1e-12)
    nothing = np.zeros(len(eigenvalues))
    return Stats(0.0, nothing, nothing + 1, overfitting, free, overfitting / free, n_samples * free)


def _after(
    found: Stats,
    eigenvalues: Floats,
    n_samples: float,
    mean: Floats,
    variance: Floats,
    noise: float,
    weights: Floats | None = None,
) -> Stage:
    """One fit on labels whose coordinates have this mean and variance; its risk is not judged yet."""
    count = eigenvalues if weights is None else weights * eigenvalues
    missed = float(count @ (found.unlearnt_fraction**2 * (mean**2 + variance)))
    gamma2 = (noise + missed) / found.one_minus_overfitting
    # (1 - zeta)^2 / lambda without dividing by eigenvalues that all but vanish.
    own = found.learnt_fraction / (eigenvalues + found.effective_ridge) * (gamma2 / n_samples)
    spread = found.learnt_fraction**2 * variance + own
    return Stage(found.learnt_fraction * mean, spread, gamma2, found.free_samples, float("nan"))


def _judged(stage: Stage, eigenvalues: Floats, signal: Floats, weights: Floats | None = None) -> Stage:
    count = eigenvalues if weights is None else weights * eigenvalues
    return replace(stage, risk=float(count @ ((stage.mean - signal) ** 2 + stage.variance)))
