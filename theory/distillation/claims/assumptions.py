"""The hypotheses of this room's theorems, each decided on the data at hand, with the numbers that say so."""

from __future__ import annotations

import numpy as np

from theory.core.vocabulary import Assumption
from theory.distillation.effective_ridge import Stats
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Regression
from theory.distillation.simulation.students import SINGULAR

FEWEST_FREE = 8.0
"""Fewer effective degrees of freedom than this and the leading order is no guide."""
TEACHER_PEAK = 0.05
"""Within this fraction of m = p a fitted teacher sits on its interpolation peak."""


def interpolates(params: Params, problem: Regression) -> Assumption:
    """The student has more features than samples, or a ridge."""
    n, p = params.n_samples, problem.n_features
    detail = f"n = {n} below p = {p}" if n < p else f"n = {n} is not below p = {p}, ridge {params.ridge:g}"
    return Assumption("n below p, or ridge", n < p or params.ridge > 0, detail)


def enough_freedom(found: Stats, name: str = "enough effective samples") -> Assumption:
    """n (1 - Omega), the size that controls all finite-sample errors, is at least 8."""
    held = found.free_samples >= FEWEST_FREE
    return Assumption(name, held, f"n (1 − Ω) = {found.free_samples:.3g}, at least {FEWEST_FREE:g}")


def resolvable_spectrum(params: Params, problem: Regression) -> Assumption:
    """A ridgeless fit in double precision can tell the eigenvalues apart."""
    leading = problem.eigenvalues[: params.n_samples]
    span = float(leading[0] / leading[-1])
    return Assumption("spectrum within 12 decades", params.ridge > 0 or span <= SINGULAR, f"λ₁/λₙ = {span:.2g}")


def commuting(params: Params) -> Assumption:
    """The teacher's covariance has the student's eigenvectors."""
    return Assumption("aligned covariances", params.rotation == 0, f"rotation {params.rotation:g}")


def fitted_teacher(
    eigenvalues: Floats, n_samples: int, seen: int, free_samples: float, name: str = "teacher"
) -> tuple[Assumption, ...]:
    """Hypotheses on a fit without ridge that may be least squares: off its peak, free enough, and resolvable."""
    gap = abs(n_samples - seen) / seen
    peak = f"|m − p|/p = {gap:.3g}, at least {TEACHER_PEAK:g}"
    leading = np.sort(eigenvalues[:seen])[::-1][:n_samples]
    span = float(leading[0] / leading[-1])
    return (
        Assumption(f"{name} off its peak", gap >= TEACHER_PEAK, peak),
        Assumption(
            f"{name} with enough effective samples",
            free_samples >= FEWEST_FREE,
            f"m (1 − Ω) = {free_samples:.3g}, at least {FEWEST_FREE:g}",
        ),
        Assumption(f"{name}'s spectrum within 14 decades", n_samples >= seen or span <= SINGULAR, f"{span:.2g}"),
    )


def generated_spectrum(problem: Regression) -> Assumption:
    """The features are Gaussian with a known spectrum, not a network's."""
    return Assumption("Gaussian features", problem.features is None, problem.source or "drawn from the spectrum")


def power_spectrum(params: Params) -> Assumption:
    """The spectrum is a power law."""
    given = params.eigenvalues is not None
    held = params.spectrum == "power" and not given and params.spectrum_exponent > 0
    detail = "given eigenvalues" if given else f"{params.spectrum}, exponent {params.spectrum_exponent:g}"
    return Assumption("power-law spectrum", held, detail)


def noiseless(params: Params) -> Assumption:
    """Labels carry no noise: noise bends every curve to the same floor."""
    noise = params.noise_variance_target
    return Assumption("no label noise", noise == 0, f"noise variance {noise:g}")
