"""What trained layers should find: the best (weighted) preconditioned step for the prompts that parameters describe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.core.vocabulary import Assumption
from theory.icl.drift import Weighted, attention_optimum_under_drift, h3_optimum, task_correlation
from theory.icl.landscape import landscape
from theory.icl.optimum import independent_optimum, kurtosis_of, optimal_preconditioner, risk_surface
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.retrieval import alignment_optimum, rag_optimum

LEAST_STEPS, STEPS_PER_ROOT = 100, 25
"""Adam leaves the first saddle in about 100 steps; momentum then resolves curvatures that differ by a factor c in a
number of steps proportional to sqrt(c). With these constants the excess stayed below its allowance (measured)."""


@dataclass(frozen=True, eq=False)
class BestStep:
    """Preconditioner W (d, d), sample weights omega (n,), their risk, and the label power: the risk of 0."""

    preconditioner: Floats
    omega: Floats
    risk: float
    label_power: float


def best_step(params: Params, problem: Regression, *, weighted: bool) -> BestStep:
    """The best step that attention can take, or H3 (``weighted``); arXiv 2407.10005.

    Retrieved and aligned examples are exchangeable, so that weights do not help; their closed form is for isotropic
    covariances.
    """
    n, noise, dim = params.context_length, params.noise_variance, problem.dim
    power = float(problem.spectrum[0].sum()) + noise
    if params.design == "drift":
        along, query = task_correlation(params.drift, n, params.task_correlation, params.period)
        optimum = h3_optimum if weighted else attention_optimum_under_drift
        found: Weighted = optimum(along, query, problem.spectrum[0], noise)
        return BestStep(in_features(problem, found.weights), found.omega, found.risk, power)
    if params.design == "independent":
        kurtosis = kurtosis_of(params.features)
        step = optimal_preconditioner(problem, n, noise, kurtosis)
        return BestStep(step, np.ones(n), float(risk_surface(step, problem, n, noise, kurtosis)), power)
    exact = rag_optimum if params.design == "rag" else alignment_optimum
    aligned = exact(dim, n, params.alignment, noise)
    return BestStep(float(aligned.c) * np.eye(dim), np.ones(n), float(aligned.risk), float(aligned.label_power))


def in_features(problem: Regression, weights: Floats) -> Floats:
    """A preconditioner (d, d) of raw features from its weights (d,) in the eigenbasis of A."""
    unroot, basis = problem.whitening[1], problem.spectrum[1]
    return unroot @ (basis * weights) @ basis.T @ unroot


def reweighted(params: Params, problem: Regression, noise: float, n: float, power: float | None = None) -> Floats:
    """W (d, d) of independent examples, as for another length, noise, or label power M."""
    values = problem.spectrum[0]
    extra = 0.0 if power is None else power - float(values.sum()) - noise
    return in_features(problem, independent_optimum(values, n, noise + extra).weights)


def step_assumptions(params: Params, problem: Regression) -> tuple[Assumption, ...]:
    """What the equivalence needs, and what makes its minimum known and reachable by training."""
    gaussian = params.features == "gaussian"
    covariances = (problem.feature_covariance, problem.task_covariance)
    isotropic = all(np.allclose(table, np.eye(problem.dim), atol=1e-12) for table in covariances)
    if params.design == "independent":
        known, detail = True, f"independent examples, {params.features} features"
    elif params.design == "drift":
        known, detail = gaussian, f"drifting tasks, {params.features} features"
    else:
        known = gaussian and isotropic
        shape = "isotropic" if isotropic else "not isotropic"
        detail = f"{params.design}: {params.features} features, covariances {shape}"
    power = float(problem.spectrum[0].sum())
    learnable = power > 0 and not (params.design == "drift" and _unrelated(params))
    condition = landscape(problem, params.context_length, params.noise_variance).condition_number if power else 1.0
    needed = LEAST_STEPS + STEPS_PER_ROOT * np.sqrt(condition)
    return (
        Assumption("sign symmetry", params.task_mean == 0, f"task mean {params.task_mean:g}"),
        Assumption("the best step is known", known, detail),
        Assumption("something to learn", learnable, f"labels have power {power:.3g} besides noise"),
        Assumption(
            "training resolves every direction",
            bool(params.steps >= needed),
            f"{params.steps} steps; curvatures within a factor {condition:.3g} take {needed:.0f}",
        ),
    )


def _unrelated(params: Params) -> bool:
    along = task_correlation(params.drift, params.context_length, params.task_correlation, params.period)
    return not along[1].any()
