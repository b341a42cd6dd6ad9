"""The paper's approximations: aligned data act like more data, up to a relative error that falls like 1 / d."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Assumption, Check, Claim, Predict, Rival, Symbol
from theory.icl.claims.aligned import USES, aligned_needs
from theory.icl.claims.scaled import measure_scales, risk_at
from theory.icl.claims.shared import NO_ALARM
from theory.icl.experiments.scaled import GROWTH, scaled_sizes
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.retrieval import Aligned, alignment_optimum, effective_multiplier, rag_optimum
from theory.shared.statistics import TINY, mean_of, pooled

RESOLUTION = 0.5
LARGEST_BEND = 0.25
"""Largest finite-size bend of the exponent at which the two sizes count as being in the regime."""

Optimum = Callable[[Any, Any, Any, Any], Aligned]


def _sizes(params: Params, problem: Regression) -> tuple[Floats, Floats, Floats]:
    """Dimension, length and alignment of both sizes, at one kappa and one n / d."""
    times = np.array([1.0, GROWTH])
    return times * problem.dim, times * params.context_length, params.alignment / np.sqrt(times)


def _exponent(errors: Floats) -> float:
    """-d log |error| / d log dimension between two sizes; 0 where an error vanishes."""
    small = np.abs(errors)
    if not (small > 1e-12).all():
        return 0.0
    return float(np.log(small[0] / small[1]) / np.log(GROWTH))


def _predict(optimum: Optimum, params: Params, problem: Regression) -> Dataset:
    dims, lengths, alignments = _sizes(params, problem)
    found = optimum(dims, lengths, alignments, params.noise_variance)
    bend = _exponent(found.risk / found.risk_approx - 1) - 1
    near = {"not_measured": "the risk is compared with it"}
    order = {"not_measured": "judged by the gap between measured risk and approximation"}
    return Dataset(
        {
            "approximation": (("dimension",), found.risk_approx, {"long_name": "approximate risk", **near}),
            "risk": (("dimension",), found.risk, {"long_name": "exact best risk"}),
            "scale": (("dimension",), found.c, {"long_name": "c of the step c I"}),
            "exponent": ((), 1.0, {"long_name": "order in 1/d of the relative error", **order}),
            "bend": ((), bend, {"long_name": "what finite sizes add to the exponent", **order}),
        },
        coords={"dimension": dims.astype(np.int64)},
    )


def _compare(params: Params, problem: Regression, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Order of the relative error between two sizes; its finite-size part is the next order of the exact formula."""
    quadratic = pooled(measured.scaled)
    approximate, scales = prediction.approximation.values, prediction.scale.values
    ratios = np.stack(
        [risk_at(quadratic[:, place], float(scales[place])) / approximate[place] for place in (0, 1)], axis=1
    )
    found = mean_of(ratios)
    errors = found.mean - 1
    # The two sizes are drawn from different generators; the logarithm turns errors into relative ones.
    error = float(np.linalg.norm(found.error / np.maximum(np.abs(errors), TINY)) / np.log(GROWTH))
    bend = float(prediction.bend)
    return (
        Check(
            name="order of the relative error, minus 1",
            deviation=_exponent(errors) - float(prediction.exponent),
            allowance=(min(1.5 * bend, 0.0) - 0.02, max(1.5 * bend, 0.0) + 0.02),
            resolution=RESOLUTION,
            standard_error=error,
            dof=found.count - 1,
            replicates=found.count,
            raise_hint="dim",
        ),
    )


def _needs(optimum: Optimum, design: str, params: Params, problem: Regression) -> tuple[Assumption, ...]:
    bend = float(_predict(optimum, params, problem).bend)
    detail = f"the exact formula has order {1 + bend:.3g} at d = {problem.dim} and {GROWTH * problem.dim}"
    regime = Assumption("in the regime of large d", abs(bend) <= LARGEST_BEND, detail)
    return (*aligned_needs(params, problem, design), regime)


def _multiplied(optimum: Optimum, power: float) -> Predict[Params, Regression]:
    """An approximation with another multiplier of the number of examples."""

    def predict(params: Params, problem: Regression) -> Dataset:
        honest = _predict(optimum, params, problem)
        dims, lengths, alignments = _sizes(params, problem)
        times = effective_multiplier(dims, alignments) ** power
        top = dims + params.noise_variance
        return honest.assign(approximation=(("dimension",), top - times * lengths * dims / (times * lengths + top)))

    return predict


def _claim(
    name: str, optimum: Optimum, design: str, power: int, defaults: dict[str, object], text: str
) -> Claim[Params, Regression]:
    multiplier = r"\kappa" if power == 1 else r"\kappa^2"
    return Claim(
        id=name,
        title="Retrieved examples act like more examples" if power == 1 else "Aligned data act like more data",
        short="Retrieval as more data" if power == 1 else "Alignment as more data",
        statement=text,
        latex=rf"L\simeq d+\sigma^2-\frac{{{multiplier}nd}}{{{multiplier}n+d+\sigma^2}}\,,\qquad \kappa=\alpha^2d+1",
        symbols={
            r"\kappa": Symbol("how many independent examples one retrieved example is worth"),
            "L": Symbol("best risk, label noise included", "risk"),
            rf"d+\sigma^2-\frac{{{multiplier}nd}}{{{multiplier}n+d+\sigma^2}}": Symbol(
                "risk of a longer prompt of independent examples", "approximation"
            ),
        },
        source="arXiv 2407.10005" if power == 1 else "arXiv 2407.10005, our reconstruction of the multiplier",
        kind="theorem",
        defaults={"design": design, "spectrum_decay": 0.0, **defaults},
        uses=USES,
        resolution=RESOLUTION,
        assumptions=partial(_needs, optimum, design),
        predict=partial(_predict, optimum),
        measure=measure_scales,
        compare=_compare,
        mutate=lambda prediction, amount: prediction.assign(exponent=prediction.exponent - 1.05 * amount),
        experiment=scaled_sizes,
        rivals=(
            Rival("alignment ignored", _multiplied(optimum, 0), {}, "counts each example once"),
            Rival(
                "the other power of kappa",
                _multiplied(optimum, 3 - power),
                {},
                "multiplies by kappa squared" if power == 1 else "multiplies by kappa",
            ),
        ),
        power=(
            f"{NO_ALARM} for each of the two; at 21 random "
            "settings inside the assumptions 8 held and 13 were undecided. A prediction off by twice the "
            "resolution was rejected in all blocks."
        ),
    )


icl_rag_approximation = _claim(
    "icl-rag-approximation",
    rag_optimum,
    "rag",
    1,
    {"alignment": 0.3, "dim": 12, "context_length": 24, "replicates": 1000},
    "With retrieval, n examples act like kappa n independent ones, kappa = alpha^2 d + 1, when alpha^2 d and n / d are "
    "held fixed: the relative error falls fourfold when d grows fourfold.",
)
icl_alignment_approximation = _claim(
    "icl-alignment-approximation",
    alignment_optimum,
    "alignment",
    2,
    {"alignment": 0.3, "dim": 12, "context_length": 24, "replicates": 2000},
    "With features along the task, n examples act like kappa^2 n independent ones when alpha^2 d and n / d are held "
    "fixed: the relative error falls fourfold when d grows fourfold. A single kappa does not do.",
)
