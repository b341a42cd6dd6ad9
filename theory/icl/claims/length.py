"""A model trained at one length and asked at another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Check, Claim, Predict, Rival, Symbol
from theory.icl.claims import assumptions as needs
from theory.icl.claims.optimum import gaussian_needs
from theory.icl.claims.shared import NO_ALARM, REJECTED, RESOLUTION, SQUARE, lowered, risk_check
from theory.icl.experiments.prompts import grams
from theory.icl.low_rank import length_risk
from theory.icl.optimum import independent_optimum, optimal_preconditioner
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.simulation.prompt_risks import GramPrompts
from theory.shared.statistics import mean_of, variables

MODES = ("as trained", "divided by length")


def _predict(params: Params, problem: Regression) -> Dataset:
    values, n, noise = problem.spectrum[0], params.context_length, params.noise_variance
    risks = [float(length_risk(values, n, params.n_test, noise, normalised=divided)) for divided in (False, True)]
    step = optimal_preconditioner(problem, n, noise)
    return Dataset(
        {
            "test_risk": (("mode",), risks, {"long_name": "risk at the test length"}),
            "trained_risk": ((), _best(params, problem, n), {"long_name": "risk at the training length"}),
            "preconditioner": (SQUARE, step, {"long_name": "W that is best at the training length"}),
        },
        coords={"mode": list(MODES)},
    )


def _best(params: Params, problem: Regression, n: int) -> float:
    return float(independent_optimum(problem.spectrum[0], n, params.noise_variance).risk)


def _risks(params: Params, problem: Regression, data: Dataset, step: Floats) -> tuple[Floats, Floats]:
    """Risks of a step on the prompts of the training length (B,), and of both modes at the test length (B, mode)."""
    here, there = (GramPrompts.of(params, problem, data, name) for name in ("gram", "gram_test"))
    factors = (1.0, params.context_length / params.n_test)
    return here.risk(step), np.stack([there.risk(factor * step) for factor in factors], axis=1)


def _measure(params: Params, problem: Regression, raw: Dataset) -> Dataset:
    """The best step for every other prompt, and its risks on the rest."""
    step = GramPrompts.of(params, problem, raw).halves()[0].best()
    home, away = _risks(params, problem, raw, step)
    return raw.assign(
        preconditioner=(SQUARE, step),
        **variables("trained_risk", (), mean_of(home[1::2])),
        **variables("test_risk", ("mode",), mean_of(away[1::2])),
    )


def _compare(params: Params, problem: Regression, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Risk on prompts of both lengths of the preconditioner that is best at the first."""
    home, away = _risks(params, problem, measured, prediction.preconditioner.values)
    checks = [risk_check("risk at the training length", home, float(prediction.trained_risk))]
    for mode, risks, predicted in zip(MODES, away.T, prediction.test_risk.values, strict=True):
        checks.append(risk_check(f"risk at the test length, {mode}", risks, float(predicted)))
    return tuple(checks)


def _rewritten(risks: Callable[[Params, Regression], tuple[float, ...]]) -> Predict[Params, Regression]:
    """Other risks at the test length, as trained and divided by length."""
    return lambda params, problem: _predict(params, problem).assign(test_risk=(("mode",), [*risks(params, problem)]))


def _no_fluctuation(params: Params, problem: Regression) -> tuple[float, ...]:
    """The bias alone: X'X taken for n Sigma_x."""
    values = problem.spectrum[0]
    weights = independent_optimum(values, params.context_length, params.noise_variance).weights
    lengths = (params.n_test, params.context_length)
    return tuple(float(np.sum(values * (1 - scale * weights) ** 2)) + params.noise_variance for scale in lengths)


icl_length_generalisation = Claim(
    id="icl-length-generalisation",
    title="Longer prompts than in training can be a catastrophe",
    short="Other prompt lengths",
    statement="A step that is best at one length overshoots at longer ones: its risk grows with the square of the test "
    "length, unless it is divided by the actual length.",
    latex=r"L(n')=M-2n'\sum_kw_k\lambda_k+n'\sum_kw_k^2\big((n'+1)\lambda_k+M\big)",
    symbols={
        "L(n')": Symbol("risk at the test length", "test_risk"),
        "n'": Symbol("context length at test time", "n_test"),
        "w_k": Symbol("best weights at the training length, by eigen-direction"),
        r"\lambda_k": Symbol("eigenvalues of A", "eigenvalues"),
    },
    source="ours: the risk of the preconditioner of one length at another",
    kind="extension",
    defaults={"dim": 5, "replicates": 2000},
    uses=needs.PROMPTS | {"n_test"},
    resolution=RESOLUTION,
    assumptions=gaussian_needs,
    predict=_predict,
    measure=_measure,
    compare=_compare,
    mutate=lowered("test_risk"),
    experiment=grams,
    rivals=(
        Rival(
            "more examples, less risk",
            _rewritten(lambda params, problem: (_best(params, problem, params.n_test),) * 2),
            {},
            "takes the risk of a model trained at that length",
        ),
        Rival(
            "length does not matter",
            _rewritten(lambda params, problem: (_best(params, problem, params.context_length),) * 2),
            {},
            "keeps the risk of the training length",
        ),
        Rival("bias alone", _rewritten(_no_fluctuation), {}, "takes X'X for its mean"),
    ),
    power=f"{NO_ALARM}. {REJECTED}",
)
