"""Independent prompts: the best preconditioner and its risk, in closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Assumption, Check, Claim, Predict, Rival, Symbol
from theory.icl.claims import assumptions as needs
from theory.icl.claims.best_steps import in_features
from theory.icl.claims.shared import NO_ALARM, REJECTED, RESOLUTION, SQUARE, excess_check, lowered, risk_check
from theory.icl.experiments.prompts import grams
from theory.icl.optimum import independent_optimum, kurtosis_of, optimal_preconditioner, step_risk
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.simulation.prompt_risks import GramPrompts
from theory.shared.statistics import TINY, mean_of, pooled, variables


def prompt_needs(params: Params, problem: Regression) -> tuple[Assumption, ...]:
    """What every statement about independent prompts needs."""
    return (
        needs.design_is(params, "independent"),
        needs.centred_tasks(params),
        needs.learnable(params, problem),
    )


def gaussian_needs(params: Params, problem: Regression) -> tuple[Assumption, ...]:
    """The same with Gaussian features."""
    return (*prompt_needs(params, problem), needs.gaussian(params))


def _dataset(preconditioner: Floats, risk: float, gain: Floats, label_power: float) -> Dataset:
    direction = {"long_name": "risk removed by each direction", "not_measured": "they add up to what the step removes"}
    power = {"long_name": "risk of predicting 0", "spec_name": "M", "not_measured": "exact: no prompt enters"}
    return Dataset(
        {
            "preconditioner": (SQUARE, preconditioner, {"long_name": "W", "spec_name": "W"}),
            "risk": ((), risk, {"long_name": "best risk, label noise included", "spec_name": "risk_opt"}),
            "gain": (("direction",), gain, direction),
            "label_power": ((), label_power, power),
        }
    )


def _predict(params: Params, problem: Regression) -> Dataset:
    n, noise = params.context_length, params.noise_variance
    kurtosis = kurtosis_of(params.features)
    step = optimal_preconditioner(problem, n, noise, kurtosis)
    found = independent_optimum(problem.spectrum[0], n, noise)
    risk = float(step_risk(step, problem, n, noise, kurtosis))
    return _dataset(step, risk, found.gain, float(problem.spectrum[0].sum()) + noise)


def _sampled_risk(data: Dataset, step: Floats, noise: float) -> Floats:
    """Risk (B,) on prompts of another design, with the query that was drawn."""
    missed = pooled(data.task) - pooled(data.correlation) @ step.T
    return np.einsum("bd,bd->b", pooled(data["query"]), missed) ** 2 + noise


def _measure(params: Params, problem: Regression, raw: Dataset) -> Dataset:
    """The best step for every other prompt, and its risk on the rest."""
    if params.design == "independent":
        fit, test = GramPrompts.of(params, problem, raw).halves()
        step = fit.best()
        risks = test.risk(step)
    else:
        seen, task = (pooled(raw[name])[::2] for name in ("correlation", "task"))
        step = task.T @ seen @ np.linalg.pinv(seen.T @ seen, hermitian=True)
        risks = _sampled_risk(raw, step, params.noise_variance)[1::2]
    return raw.assign(preconditioner=(SQUARE, step), **variables("risk", (), mean_of(risks)))


def _compare(params: Params, problem: Regression, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Risk of the predicted preconditioner, and what it loses to the best one found on other prompts.

    The found one is fitted to finitely many prompts, so that the true optimum is never above it in the mean.
    """
    step, risk = prediction.preconditioner.values, float(prediction.risk)
    name = "risk of the predicted step"
    if params.design != "independent":
        return (risk_check(name, _sampled_risk(measured, step, params.noise_variance), risk),)
    prompts = GramPrompts.of(params, problem, measured)
    _, test = prompts.halves()
    paired = (test.risk(step) - test.risk(measured.preconditioner.values)) / max(risk, TINY)
    return (
        risk_check(name, prompts.risk(step), risk),
        excess_check("step", paired),
    )


def _other(eigen: Callable[[Floats, float, float], Floats]) -> Predict[Params, Regression]:
    """Another denominator of the weights (d,) in the eigenbasis of A, with the risk that it would imply."""

    def predict(params: Params, problem: Regression) -> Dataset:
        values, n, noise = problem.spectrum[0], float(params.context_length), params.noise_variance
        bottom = eigen(values, n, noise)
        weights = np.divide(values, bottom, out=np.zeros_like(values), where=bottom > 0)
        gain = n * values * weights
        power = float(values.sum()) + noise
        return _dataset(in_features(problem, weights), power - float(gain.sum()), gain, power)

    return predict


icl_independent_optimum = Claim(
    id="icl-independent-optimum",
    title="The best step is known in closed form",
    short="Best step, closed form",
    statement="On independent prompts the best preconditioner shrinks each eigen-direction of the tasks by its own "
    "strength, the length of the prompt and the power of the labels; its risk follows from eigenvalues alone.",
    latex=r"W^\star=\Sigma_x^{-1/2}\big((n+1)I+MA^{-1}\big)^{-1}\Sigma_x^{-1/2},\qquad "
    r"L^\star=M-\sum_k\frac{n\lambda_k^2}{(n+1)\lambda_k+M}",
    symbols={
        r"W^\star": Symbol("the best preconditioner", "preconditioner"),
        r"L^\star": Symbol("its risk, label noise included", "risk"),
        "M": Symbol("power of the labels: the risk of predicting 0", "label_power"),
        r"\lambda_k": Symbol("eigenvalues of A", "eigenvalues"),
        r"\frac{n\lambda_k^2}{(n+1)\lambda_k+M}": Symbol("what direction k takes off the risk", "gain"),
    },
    source="arXiv 2407.10005; kurtosis of other features is ours",
    kind="theorem",
    defaults={"dim": 5, "replicates": 3000, "basis_rotation": 0.5, "feature_decay": 0.5, "n_test": 1},
    uses=needs.PROMPTS,
    resolution=RESOLUTION,
    assumptions=prompt_needs,
    predict=_predict,
    measure=_measure,
    compare=_compare,
    mutate=lowered("risk"),
    experiment=grams,
    rivals=(
        Rival(
            "n for n + 1",
            _other(lambda values, n, noise: n * values + values.sum() + noise),
            {"context_length": 3, "spectrum_decay": 3.0, "noise_variance": 0.0},
            "forgets that a sample covariance fluctuates",
        ),
        Rival(
            "noise dropped from the label power",
            _other(lambda values, n, noise: (n + 1) * values + values.sum()),
            {"noise_variance": 2.0},
            "shrinks as if labels had no noise",
        ),
        Rival(
            "signal dropped from the label power",
            _other(lambda values, n, noise: (n + 1) * values + noise),
            {},
            "forgets that other directions of the task act as noise",
        ),
    ),
    power=f"{NO_ALARM}, nor at 40 random settings. {REJECTED}",
)
