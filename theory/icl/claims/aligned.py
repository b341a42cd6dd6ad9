"""Examples near the query and features along the task: exact risks of the best step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Assumption, Check, Claim, Predict, Rival, Symbol
from theory.icl.claims import assumptions as needs
from theory.icl.claims.scaled import measure_scales, risk_at
from theory.icl.claims.shared import NO_ALARM, REJECTED, ROUNDING, excess_check, lowered, risk_check
from theory.icl.experiments.scaled import scaled
from theory.icl.parameters import Params
from theory.icl.problem import Regression
from theory.icl.retrieval import Aligned, alignment_optimum, effective_multiplier, rag_crossover, rag_floor, rag_optimum
from theory.shared.statistics import TINY, mean_check, pooled

RESOLUTION = 0.1
USES = needs.PROMPTS | {"alignment"}


def aligned_needs(params: Params, problem: Regression, design: str) -> tuple[Assumption, ...]:
    """What every closed form for aligned prompts needs."""
    return (
        needs.design_is(params, design),
        needs.centred_tasks(params),
        needs.gaussian(params),
        needs.isotropic(problem),
    )


def _described(aligned: Aligned, params: Params, problem: Regression) -> Dataset:
    """Scales and risks of aligned prompts and of independent ones."""
    both = (aligned, rag_optimum(problem.dim, params.context_length, 0.0, params.noise_variance))
    near = {"long_name": "risk with an effective number of examples", "not_measured": "close to the exact risk"}
    return Dataset(
        {
            "scale": (("arm",), np.array([float(item.c) for item in both]), {"long_name": "c of the step c I"}),
            "risk": (("arm",), np.array([float(item.risk) for item in both]), {"long_name": "best risk"}),
            "approximation": ((), float(aligned.risk_approx), near),
            "label_power": ((), float(aligned.label_power), {"long_name": "risk of predicting 0", "spec_name": "M"}),
        },
        coords={"arm": ["aligned", "independent"]},
    )


def _predict_rag(params: Params, problem: Regression) -> Dataset:
    dim, alpha, noise = problem.dim, params.alignment, params.noise_variance
    found = _described(rag_optimum(dim, params.context_length, alpha, noise), params, problem)
    floor = {"long_name": "risk of endless prompts", "not_measured": "prompts are finite"}
    crossing = {"long_name": "length beyond which retrieval hurts", "not_measured": "one length is sampled"}
    return found.assign(
        floor=((), noise + float(rag_floor(dim, alpha)), floor),
        crossover=((), min(float(rag_crossover(dim, alpha, noise)), 1e300), crossing),
    )


def _predict_alignment(params: Params, problem: Regression) -> Dataset:
    point = problem.dim, params.context_length, params.alignment, params.noise_variance
    return _described(alignment_optimum(*point), params, problem)


def _compare(
    name: str, params: Params, problem: Regression, prediction: Dataset, measured: Dataset
) -> tuple[Check, ...]:
    """Risk at the predicted scale, its excess over the scale found on other prompts, and the gap to no alignment."""
    quadratic = pooled(measured.scaled)
    risks, scales, found = prediction.risk.values, prediction.scale.values, float(measured.scale[0])
    test = quadratic[1::2, 0]
    paired = (risk_at(test, float(scales[0])) - risk_at(test, found)) / max(float(risks[0]), TINY)
    here, apart = (risk_at(quadratic[:, arm], float(scales[arm])) for arm in (0, 1))
    gap = (here - apart - float(risks[0] - risks[1])) / max(abs(float(risks[1])), TINY)
    return (
        risk_check(f"risk of {name}", here, float(risks[0]), RESOLUTION),
        excess_check("scale", paired, RESOLUTION),
        mean_check(f"{name} minus independent examples", gap, (-ROUNDING, ROUNDING), RESOLUTION),
    )


Form = Callable[[float, float, float, float], tuple[float, float]]
"""Scale and risk from d, n, alpha, sigma^2."""


def _other(predict: Predict[Params, Regression], form: Form) -> Predict[Params, Regression]:
    def rewritten(params: Params, problem: Regression) -> Dataset:
        honest = predict(params, problem)
        scale, risk = form(problem.dim, params.context_length, params.alignment, params.noise_variance)
        risks, scales = honest.risk.values.copy(), honest.scale.values.copy()
        scales[0], risks[0] = scale, risk
        return honest.assign(scale=(("arm",), scales), risk=(("arm",), risks))

    return rewritten


def _effective(power: int) -> Form:
    """Independent examples in a number multiplied by a power of kappa, as if the approximation were exact."""

    def form(d: float, n: float, alpha: float, noise: float) -> tuple[float, float]:
        times = float(effective_multiplier(d, alpha)) ** power
        scale = times / (times * n + d + noise)
        return scale, d + noise - scale * n * d

    return form


def _noiseless(optimum: Callable[[float, float, float, float], Aligned]) -> Form:
    def form(d: float, n: float, alpha: float, noise: float) -> tuple[float, float]:
        quiet = optimum(d, n, alpha, 0.0)
        return float(quiet.c), float(quiet.risk) + noise

    return form


def _uncorrelated(d: float, n: float, alpha: float, noise: float) -> tuple[float, float]:
    """Examples treated as independent given the query's direction: the term 2 alpha^4 (d + 2) forgotten."""
    first = alpha**2 * (d + 1) + 1
    second = (d + 2) * (alpha**2 * (d + 3) + 1) + (n - 1) * first**2 + noise * first
    return first / second, d + noise - n * d * first**2 / second


def _unscaled(d: float, n: float, alpha: float, noise: float) -> tuple[float, float]:
    found = alignment_optimum(d, n, alpha, noise, 1.0)
    return float(found.c), float(found.risk)


icl_rag_risk = Claim(
    id="icl-rag-risk",
    title="Retrieval helps short prompts and hurts long ones",
    short="Retrieval's exact risk",
    statement="Examples retrieved near the query lower the risk of one gradient step up to a certain number of "
    "examples, and raise it beyond: their lengths cannot be normalised away, so that a floor remains.",
    latex=r"L^\star=d+\sigma^2-\frac{nd\,a^2}{b},\qquad a=\alpha^2(d+1)+1,\quad "
    r"n_c=\frac{(d+1)^2+2}{2}+\frac{d-1}{2\alpha^2}+\sigma^2\frac{(d+1)a}{2\alpha^2(d+2)}",
    symbols={
        r"L^\star": Symbol("best risk, label noise included", "risk"),
        "n_c": Symbol("length beyond which retrieval hurts", "crossover"),
        "a": Symbol("mean product of label and step, per example and dimension"),
        "b": Symbol("mean square of the step, per example and dimension"),
    },
    source="exact risk, floor and crossover are ours; the setting is that of arXiv 2407.10005",
    kind="extension",
    defaults={"design": "rag", "dim": 5, "spectrum_decay": 0.0, "alignment": 0.6, "replicates": 3000},
    uses=USES,
    resolution=RESOLUTION,
    assumptions=partial(aligned_needs, design="rag"),
    predict=_predict_rag,
    measure=measure_scales,
    compare=partial(_compare, "retrieved examples"),
    mutate=lowered("risk"),
    experiment=scaled,
    rivals=(
        Rival("kappa n examples", _other(_predict_rag, _effective(1)), {}, "takes the approximation for exact"),
        Rival("kappa squared", _other(_predict_rag, _effective(2)), {}, "counts the alignment twice"),
        Rival("alignment ignored", _other(_predict_rag, _effective(0)), {}, "takes retrieved examples for random ones"),
        Rival(
            "no floor", _other(_predict_rag, _uncorrelated), {}, "forgets that all examples share the query's length"
        ),
        Rival(
            "noise dropped",
            _other(_predict_rag, _noiseless(rag_optimum)),
            {"noise_variance": 4.0},
            "as if labels had no noise",
        ),
    ),
    power=f"{NO_ALARM}, nor at 40 random settings. {REJECTED}",
)

icl_task_feature_alignment = Claim(
    id="icl-task-feature-alignment",
    title="Features along the task are worth many examples",
    short="Features along tasks",
    statement="When features point along the task, one gradient step needs far fewer examples: the exact risk follows "
    "from moments of the task's length, and is well below that of as many independent examples.",
    latex=r"L^\star=\gamma^2d\big(\alpha^2(d+2)+1\big)+\sigma^2-\frac{N^2}{D},\qquad "
    r"N=n\gamma^2\,\mathbb E\big[(\alpha^2s+1)^2s\big],\quad s\sim\chi^2_d",
    symbols={
        r"L^\star": Symbol("best risk, label noise included", "risk"),
        r"\gamma": Symbol("scale of the labels, which keeps their power near d"),
        "N": Symbol("mean product of label and step"),
        "D": Symbol("mean square of the step"),
        "s": Symbol("squared length of the task"),
    },
    source="exact risk is ours; the setting is that of arXiv 2407.10005",
    kind="extension",
    defaults={
        "design": "alignment",
        "dim": 5,
        "spectrum_decay": 0.0,
        "alignment": 0.4,
        "context_length": 10,
        "replicates": 6000,
    },
    uses=USES,
    resolution=RESOLUTION,
    assumptions=partial(aligned_needs, design="alignment"),
    predict=_predict_alignment,
    measure=measure_scales,
    compare=partial(_compare, "aligned features"),
    mutate=lowered("risk"),
    experiment=scaled,
    rivals=(
        Rival("kappa n examples", _other(_predict_alignment, _effective(1)), {}, "counts the alignment once"),
        Rival(
            "kappa squared n examples",
            _other(_predict_alignment, _effective(2)),
            {},
            "takes the approximation for exact",
        ),
        Rival("labels not rescaled", _other(_predict_alignment, _unscaled), {}, "forgets the factor gamma"),
        Rival(
            "noise dropped",
            _other(_predict_alignment, _noiseless(alignment_optimum)),
            {"noise_variance": 4.0},
            "as if labels had no noise",
        ),
    ),
    power=f"{NO_ALARM}, nor at 40 random settings, 2 of them undecided. {REJECTED}",
)
