"""What trained layers should find: the best (weighted) preconditioned step for the prompts that parameters describe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Assumption
from theory.icl.claims import assumptions as needs
from theory.icl.claims.shared import SQUARE
from theory.icl.drift import attention_optimum_under_drift, h3_optimum, task_correlation
from theory.icl.optimum import kurtosis_of, optimal_preconditioner, step_risk
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.quadratic import landscape
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

    def dataset(self, **silent: str) -> Dataset:
        """A labelled prediction; ``silent`` says of a variable why nothing measures it."""
        found = Dataset(
            {
                "preconditioner": (SQUARE, self.preconditioner, {"long_name": "W", "spec_name": "W"}),
                "omega": (("position",), self.omega, {"long_name": "sample weights", "spec_name": "omega"}),
                "risk": ((), self.risk, {"long_name": "best risk, label noise included", "spec_name": "risk_opt"}),
                "label_power": ((), self.label_power, {"long_name": "risk of predicting 0", "spec_name": "M"}),
            }
        )
        for name, why in silent.items():
            found[name].attrs["not_measured"] = why
        return found


def best_step(params: Params, problem: Regression, *, weighted: bool) -> BestStep:
    """The best step that attention can take, or H3 (``weighted``); arXiv 2407.10005.

    Retrieved and aligned examples are exchangeable, so that weights do not help; their closed form is for isotropic
    covariances.
    """
    n, noise, dim = params.context_length, params.noise_variance, problem.dim
    power = float(problem.spectrum[0].sum()) + noise
    if params.design == "drift":
        optimum = h3_optimum if weighted else attention_optimum_under_drift
        found = optimum(*correlations(params), problem.spectrum[0], noise)
        return BestStep(in_features(problem, found.weights), found.omega, found.risk, power)
    if params.design == "independent":
        kurtosis = kurtosis_of(params.features)
        step = optimal_preconditioner(problem, n, noise, kurtosis)
        return BestStep(step, np.ones(n), float(step_risk(step, problem, n, noise, kurtosis)), power)
    exact = rag_optimum if params.design == "rag" else alignment_optimum
    aligned = exact(dim, n, params.alignment, noise)
    return BestStep(float(aligned.c) * np.eye(dim), np.ones(n), float(aligned.risk), float(aligned.label_power))


def correlations(params: Params) -> tuple[Floats, Floats]:
    """R (n, n) and r (n,) of the tasks along the prompt: those of one task where the design has no drift."""
    if params.design != "drift":
        return task_correlation("exchangeable", params.context_length, 1.0)
    return task_correlation(params.drift, params.context_length, params.task_correlation, params.period)


def in_features(problem: Regression, weights: Floats) -> Floats:
    """A preconditioner (d, d) of raw features from its weights (d,) in the eigenbasis of A."""
    unroot, basis = problem.whitening[1], problem.spectrum[1]
    return unroot @ (basis * weights) @ basis.T @ unroot


def shrunk(problem: Regression, times: float, power: float) -> Floats:
    """W (d, d) of the weights ``lambda / (times lambda + power)``."""
    values = problem.spectrum[0]
    bottom = times * values + power
    return in_features(problem, np.divide(values, bottom, out=np.zeros_like(values), where=bottom > 0))


def step_assumptions(params: Params, problem: Regression) -> tuple[Assumption, ...]:
    """What the equivalence needs, and what makes its minimum known and reachable by training."""
    gaussian = params.features == "gaussian"
    if params.design == "independent":
        known, detail = True, f"independent examples, {params.features} features"
    elif params.design == "drift":
        known, detail = gaussian, f"drifting tasks, {params.features} features"
    else:
        isotropic = needs.isotropic(problem).holds
        known = gaussian and isotropic
        shape = "isotropic" if isotropic else "not isotropic"
        detail = f"{params.design}: {params.features} features, covariances {shape}"
    power = float(problem.spectrum[0].sum())
    learnable = power > 0 and (params.design != "drift" or bool(correlations(params)[1].any()))
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
