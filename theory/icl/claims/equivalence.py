"""The equivalence: a trained layer of linear attention is one preconditioned gradient step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Check, Claim, Rival
from theory.icl.claims.best_steps import BestStep, best_step, in_features, reweighted, step_assumptions
from theory.icl.claims.trained import allowance, arrived, risk_checks, scaled_off
from theory.icl.effective import effective_preconditioner
from theory.icl.experiments.training import trained_attention
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression

RESOLUTION, EXACT_RESOLUTION = 0.01, 1e-6
ROUNDING = 1e-9
PROMPTS = frozenset({"design", "dim", "context_length", "noise_variance", "alignment", "spectrum_decay"}) | {
    "feature_decay",
    "basis_rotation",
    "drift",
    "task_correlation",
    "period",
    "features",
    "task_mean",
    "data_seed",
    "eigenvalues",
    "feature_covariance",
    "task_covariance",
}


def described(found: BestStep) -> Dataset:
    """A step as a labelled prediction."""
    return Dataset(
        {
            "preconditioner": (("row", "column"), found.preconditioner, {"long_name": "W", "spec_name": "W"}),
            "omega": (("position",), found.omega, {"long_name": "sample weights", "spec_name": "omega"}),
            "risk": ((), found.risk, {"long_name": "best risk, label noise included"}),
            "label_power": ((), found.label_power, {"long_name": "risk of predicting 0", "spec_name": "M"}),
        }
    )


def _predict(params: Params, problem: Regression) -> Dataset:
    return described(best_step(params, problem, weighted=False))


def _compare(params: Params, problem: Regression, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """Paired excess of trained layers, their even part, and the map that their weights should amount to."""
    margin = allowance(params, problem.dim, problem.dim**2)
    directions = raw.correlation.values @ prediction.preconditioner.values.T
    risk = float(prediction.risk)
    found = arrived(raw, directions, risk, margin, RESOLUTION)
    query, key, value, output = (raw[f"weights_{name}"].values for name in ("query", "key", "value", "output"))
    steps, _ = effective_preconditioner(query, key, value, output, params.context_length)
    measured = raw.preconditioner.values
    gap = np.abs(steps - measured).max() / max(np.abs(measured).max(), 1e-300)
    exact = Check(
        name="W from the weights against W measured",
        deviation=float(gap),
        allowance=(-ROUNDING, ROUNDING),
        resolution=EXACT_RESOLUTION,
    )
    return (*risk_checks(raw, found, risk, margin, RESOLUTION), exact)


def _rewritten(step: Callable[[Params, Regression], Floats]) -> Callable[[Any, Any], Dataset]:
    def predict(params: Params, problem: Regression) -> Dataset:
        return described(replace(best_step(params, problem, weighted=False), preconditioner=step(params, problem)))

    return predict


def _without_fluctuation(params: Params, problem: Regression) -> Floats:
    # n lambda + M for (n + 1) lambda + M
    return reweighted(params, problem, params.noise_variance, params.context_length - 1)


def _noiseless(params: Params, problem: Regression) -> Floats:
    return reweighted(params, problem, 0.0, params.context_length)


def _one_rate(params: Params, problem: Regression) -> Floats:
    """The best multiple of the inverse feature covariance: the task's spectrum is not used."""
    values = problem.spectrum[0]
    power = float(values.sum()) + params.noise_variance
    top = float(values.sum())
    bottom = float(np.sum((params.context_length + 1) * values + power))
    return in_features(problem, np.full(problem.dim, top / bottom))


def _least_squares(params: Params, problem: Regression) -> Floats:
    return in_features(problem, np.full(problem.dim, 1 / params.context_length))


icl_pgd_equivalence = Claim(
    id="icl-pgd-equivalence",
    title="Attention takes one preconditioned gradient step",
    statement="The best layer of linear attention predicts like one preconditioned gradient step on the prompt, and no "
    "better: the non-convex problem in its weights has the minimum of a convex one.",
    latex=r"\min_{W_q,W_k,W_v,h}L_{\rm att}=\min_W\,\mathbb E\big(y_q-x^\top WX^\top y\big)^2",
    source="arXiv 2407.10005; the split into odd and even parts is our derivation",
    kind="theorem",
    defaults={"dim": 5, "context_length": 10, "steps": 600, "batch_size": 256, "replicates": 4000},
    uses=PROMPTS | {"steps"},
    resolution=RESOLUTION,
    assumptions=step_assumptions,
    predict=_predict,
    compare=_compare,
    mutate=scaled_off,
    experiment=trained_attention,
    rivals=(
        Rival(
            "n for n + 1",
            _rewritten(_without_fluctuation),
            {"context_length": 4, "spectrum_decay": 1.5, "noise_variance": 0.0},
            "forgets that a sample covariance fluctuates",
        ),
        Rival(
            "noise dropped from the label power",
            _rewritten(_noiseless),
            {"context_length": 5, "noise_variance": 2.0},
            "shrinks as if labels had no noise",
        ),
        Rival("one rate for all directions", _rewritten(_one_rate), {}, "ignores the spectrum of the tasks"),
        Rival("least squares", _rewritten(_least_squares), {}, "takes the step that is right for endless prompts"),
    ),
    power="No false alarm in 24 blocks of 8 layers; a step off by twice the resolution was rejected in all.",
)
