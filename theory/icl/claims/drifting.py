"""Tasks that drift within the prompt: H3 weighs the examples, as a Kalman predictor where the drift is an AR(1)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.linalg import solve_toeplitz
from xarray import Dataset

from theory.core.vocabulary import Assumption, Check, Claim, Predict, Rival, Symbol
from theory.icl.claims import assumptions as needs
from theory.icl.claims.best_steps import correlations, in_features
from theory.icl.claims.shared import (
    NO_ALARM,
    REJECTED,
    RESOLUTION,
    ROUNDING,
    SQUARE,
    exact_check,
    excess_check,
    lowered,
    risk_check,
)
from theory.icl.claims.weighings import Weigh, label_noise_alone, uniform, weighed
from theory.icl.drift import Weighted, attention_optimum_under_drift, h3_optimum
from theory.icl.experiments.prompts import drifting
from theory.icl.kalman import kalman_filter, steady_gain
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.simulation.prompt_risks import WeightedPrompts
from theory.shared.statistics import TINY, mean_check, mean_of, variables

EXACT, EXACT_ROUNDING = 1e-6, 1e-10
USES = needs.PROMPTS | {"drift", "task_correlation", "period"}


def drift_needs(params: Params, problem: Regression) -> tuple[Assumption, ...]:
    """What the best weighted step needs."""
    return (
        needs.design_is(params, "drift"),
        needs.centred_tasks(params),
        needs.gaussian(params),
        needs.learnable(params, problem),
    )


def _dataset(problem: Regression, weighted: Weighted, plain: Weighted) -> Dataset:
    both = (weighted, plain)
    steps = [in_features(problem, found.weights) for found in both]
    return Dataset(
        {
            "risk": (("model",), [found.risk for found in both], {"long_name": "best risk, label noise included"}),
            "preconditioner": (("model", *SQUARE), steps, {"long_name": "W"}),
            "omega": (("model", "position"), [found.omega for found in both], {"long_name": "sample weights"}),
        },
        coords={"model": ["H3", "attention"]},
    )


def _plain(params: Params, problem: Regression) -> Weighted:
    return attention_optimum_under_drift(*correlations(params), problem.spectrum[0], params.noise_variance)


def _predict(params: Params, problem: Regression) -> Dataset:
    weighted = h3_optimum(*correlations(params), problem.spectrum[0], params.noise_variance)
    return _dataset(problem, weighted, _plain(params, problem))


def _measure(params: Params, problem: Regression, raw: Dataset) -> Dataset:
    """The best steps for every other prompt, with weights and without, and their risks on the rest."""
    fit, test = WeightedPrompts.of(params, problem, raw).halves()
    ones = np.ones(raw.sizes["position"])
    steps = (fit.best_weighted(), (fit.best(ones), ones))
    risks = np.stack([test.risk(*step) for step in steps], axis=1)
    return raw.assign(
        model=(("model",), ["H3", "attention"]),
        preconditioner=(("model", *SQUARE), np.stack([step for step, _ in steps])),
        omega=(("model", "position"), np.stack([omega for _, omega in steps])),
        **variables("risk", ("model",), mean_of(risks)),
    )


def _excess(test: WeightedPrompts, found: tuple[Floats, Floats], step: Floats, omega: Floats, risk: float) -> Check:
    return excess_check("weights", (test.risk(step, omega) - test.risk(*found)) / max(risk, TINY))


def _compare(params: Params, problem: Regression, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Risks of both predicted steps, their gap on the same prompts, and what weights found on other prompts gain."""
    prompts = WeightedPrompts.of(params, problem, measured)
    risks, steps, omegas = (prediction[name].values for name in ("risk", "preconditioner", "omega"))
    first, second = (prompts.risk(steps[place], omegas[place]) for place in (0, 1))
    gap = (second - first - float(risks[1] - risks[0])) / max(float(risks[1]), TINY)
    found = measured.preconditioner.values[0], measured.omega.values[0]
    return (
        risk_check("risk of H3", first, float(risks[0])),
        risk_check("risk of attention", second, float(risks[1])),
        mean_check("attention minus H3", gap, (-ROUNDING, ROUNDING), RESOLUTION),
        _excess(prompts.halves()[1], found, steps[0], omegas[0], float(risks[0])),
    )


def _weighing(weigh: Weigh, params: Params, problem: Regression) -> Dataset:
    """Other sample weights for H3, with their best preconditioner and the risk that follows."""
    return _dataset(problem, weighed(weigh, params, problem), _plain(params, problem))


def _reversed(params: Params, dim: int, along: Floats, query: Floats) -> Floats:
    return label_noise_alone(params, dim, along, query)[::-1]


icl_h3_drift = Claim(
    id="icl-h3-drift",
    title="H3 forgets at the right rate, and beats attention where order matters",
    short="Forgetting with H3",
    statement="When the task drifts within the prompt, the best weighted step weighs examples by how much they still "
    "say, and its risk is below attention's; when all tasks are equally related, weights gain nothing.",
    latex=r"\omega^\star=(R+\tau I)^{-1}r,\qquad L_{\rm H3}=d+\sigma^2-d\,r^\top(R+\tau I)^{-1}r,\quad "
    r"\tau=d+1+\sigma^2",
    symbols={
        r"\omega^\star": Symbol("best weight of each example", "omega"),
        "R": Symbol("correlations of the tasks along the prompt"),
        "r": Symbol("their correlations with the query's task"),
        r"L_{\rm H3}": Symbol("best risk of H3", "risk"),
        r"\tau": Symbol("noise with which one example measures its task"),
    },
    source="arXiv 2407.10005 for isotropic tasks; other spectra (one scalar fixed point) are ours",
    kind="theorem",
    defaults={"design": "drift", "dim": 5, "spectrum_decay": 0.5, "replicates": 3000},
    uses=USES,
    resolution=RESOLUTION,
    assumptions=drift_needs,
    predict=_predict,
    measure=_measure,
    compare=_compare,
    mutate=lowered("risk"),
    experiment=drifting,
    rivals=(
        Rival(
            "all examples alike",
            partial(_weighing, uniform),
            {"task_correlation": 0.8},
            "weighs examples as attention does",
        ),
        Rival("order reversed", partial(_weighing, _reversed), {}, "reads the filter from the wrong end"),
        Rival(
            "label noise alone",
            partial(_weighing, label_noise_alone),
            {},
            "forgets the noise of one example's features",
        ),
    ),
    power="No false alarm in 20 blocks of 8 seeds that were not used for tuning, "
    f"nor at 30 random settings, 2 of them undecided. {REJECTED}",
)


def _kalman_needs(params: Params, problem: Regression) -> tuple[Assumption, ...]:
    ar1 = params.design == "drift" and params.drift == "ar1"
    detail = f"drift: {params.drift}" if params.design == "drift" else f"the prompts are {params.design}"
    return (*drift_needs(params, problem)[1:3], Assumption("AR(1) tasks", ar1, detail), needs.isotropic(problem))


def _kalman(rho: float, n: int, tau: float, dim: int, noise: float) -> Dataset:
    spread, weights = kalman_filter(rho, n, tau)
    steady, decay = steady_gain(rho, tau)
    endless = {"not_measured": "prompts are finite"}
    return Dataset(
        {
            "risk": (("examples",), noise + dim * spread, {"long_name": "risk after so many examples"}),
            "omega": (("position",), weights, {"long_name": "weights of the Kalman predictor, oldest first"}),
            "steady_risk": ((), noise + dim * steady, {"long_name": "risk of endless prompts", **endless}),
            "decay": ((), decay, {"long_name": "steady-state decay of the weights per lag", **endless}),
        }
    )


def _predict_kalman(params: Params, problem: Regression) -> Dataset:
    dim, noise = problem.dim, params.noise_variance
    return _kalman(params.task_correlation, params.context_length, dim + 1 + noise, dim, noise)


def _measure_kalman(params: Params, problem: Regression, raw: Dataset) -> Dataset:
    """Least-squares weights of every other prompt's last 0, 1, ..., n examples, with their risks on the rest.

    Besides, for ``compare``: the best step and weights together, and the normal equations solved as a Toeplitz system.
    """
    n, dim, noise = params.context_length, problem.dim, params.noise_variance
    fit, test = WeightedPrompts.of(params, problem, raw).halves()
    flat = fit.products.transpose(1, 0, 2).reshape(n, -1)
    square, cross = flat @ flat.T, flat @ fit.task.ravel()
    omegas = np.zeros((n + 1, n))
    for count in range(1, n + 1):
        omegas[count, -count:] = np.linalg.pinv(square[-count:, -count:], hermitian=True) @ cross[-count:]
    risks = np.stack([test.risk(np.eye(dim), omega) for omega in omegas], axis=1)
    step, weights = fit.best_weighted()
    row = np.power(params.task_correlation, np.arange(n + 1), dtype=np.float64)
    solved = np.asarray(solve_toeplitz(row[:n] + (dim + 1 + noise) * (np.arange(n) == 0), row[:0:-1]), dtype=np.float64)
    return raw.assign(
        omega=(("position",), omegas[-1]),
        **variables("risk", ("examples",), mean_of(risks)),
        found_step=(SQUARE, step),
        found_omega=(("position",), weights),
        solved_omega=(("position",), solved),
        solved_risk=((), dim + noise - dim * float(solved @ row[:0:-1])),
    )


def _compare_kalman(params: Params, problem: Regression, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """The recursion against the normal equations, exactly; its risks on prompts; weights found on other prompts."""
    omega, risk = prediction.omega.values, float(prediction.risk[-1])
    solved, identity = measured.solved_omega.values, np.eye(problem.dim)
    exact = {
        "weights against the normal equations": float(np.abs(solved - omega).max() / max(np.abs(solved).max(), TINY)),
        "risk against the normal equations": risk / float(measured.solved_risk) - 1,
    }
    prompts = WeightedPrompts.of(params, problem, measured)
    found = measured.found_step.values, measured.found_omega.values
    return (
        *(exact_check(name, off, EXACT_ROUNDING, EXACT) for name, off in exact.items()),
        risk_check("risk of the Kalman predictor", prompts.risk(identity, omega), risk),
        _excess(prompts.halves()[1], found, identity, omega, risk),
    )


def _measuring(tau: Callable[[int, float], float]) -> Predict[Params, Regression]:
    """Another noise of the measurements."""

    def predict(params: Params, problem: Regression) -> Dataset:
        dim, noise = problem.dim, params.noise_variance
        return _kalman(params.task_correlation, params.context_length, tau(dim, noise), dim, noise)

    return predict


def _filtered(params: Params, problem: Regression) -> Dataset:
    """The estimate of the last example's task, not moved one step ahead."""
    honest = _predict_kalman(params, problem)
    rho = max(params.task_correlation, 1e-6)
    dim, noise = problem.dim, params.noise_variance
    spread = (honest.risk - noise) / dim
    return honest.assign(omega=honest.omega / rho, risk=noise + dim * (spread - (1 - rho**2)) / rho**2)


icl_h3_kalman = Claim(
    id="icl-h3-kalman",
    title="The trained convolution filter is a Kalman predictor",
    short="H3 as Kalman predictor",
    statement="For isotropic tasks that drift as an AR(1) process, H3's best filter predicts the task as a Kalman "
    "predictor does, with one example measuring it in noise of variance d + 1 + sigma^2.",
    latex=r"L_{\rm H3}=\sigma^2+d\,P_n,\qquad P\leftarrow\rho^2\frac{P\tau}{P+\tau}+1-\rho^2,\quad P_0=1",
    symbols={
        r"L_{\rm H3}": Symbol("best risk of H3", "risk"),
        "P_n": Symbol("error of predicting the task from n examples"),
        r"\rho": Symbol("correlation of neighbouring tasks", "task_correlation"),
        r"\tau": Symbol("noise with which one example measures its task: d + 1 + sigma^2"),
    },
    source="ours: the normal equations of H3 are those of predicting an AR(1) signal in noise",
    kind="extension",
    defaults={"design": "drift", "dim": 5, "spectrum_decay": 0.0, "replicates": 3000},
    uses=USES,
    resolution=RESOLUTION,
    assumptions=_kalman_needs,
    predict=_predict_kalman,
    measure=_measure_kalman,
    compare=_compare_kalman,
    mutate=lowered("risk"),
    experiment=drifting,
    rivals=(
        Rival("noise of labels alone", _measuring(lambda dim, noise: noise + 1), {}, "forgets the noise of features"),
        Rival(
            "d for d + 1", _measuring(lambda dim, noise: dim + noise), {}, "forgets that the query's feature squares"
        ),
        Rival("filter, not predictor", _filtered, {}, "estimates the last task, not the next one"),
    ),
    power=f"{NO_ALARM}, nor at 40 random settings. {REJECTED}",
)
