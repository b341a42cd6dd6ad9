"""The equivalence for H3: a trained layer is one preconditioned gradient step on weighted examples."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import inf

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Check, Claim, Rival, Symbol
from theory.icl.claims.best_steps import best_step, in_features, step_assumptions
from theory.icl.claims.equivalence import EXACT_RESOLUTION, PROMPTS
from theory.icl.claims.shared import ROUNDING, SQUARE, exact_check
from theory.icl.claims.trained import allowance, arrived, risk_checks, risks_of, scaled_off
from theory.icl.claims.weighings import Weigh, label_noise_alone, predictor, uniform, weighed
from theory.icl.effective import effective_wpgd, impulse_response
from theory.icl.experiments.training import trained_h3
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.simulation.prompt_risks import scaled_alike
from theory.shared.statistics import TINY, mean_of, variables

RESOLUTION, FILTER_RESOLUTION = 0.02, 0.1


def _predict(params: Params, problem: Regression) -> Dataset:
    return best_step(params, problem, weighted=True).dataset()


def _factors(impulse: Floats, features: Floats, drifts: bool) -> tuple[Floats, Floats]:
    """W (d, d) and omega (n,) of the nearest product ``omega_i W``; scale and sign are free, and chosen as predicted.

    That is ``tr(W Sigma_x) = d`` on drifting tasks, else weights of mean 1.
    """
    left, sizes, right = np.linalg.svd(impulse.reshape(len(impulse), -1), full_matrices=False)
    step, omega = right[0].reshape(impulse.shape[1:]), sizes[0] * left[:, 0]
    if drifts:
        return scaled_alike(step, omega, features)
    mean = float(omega.mean()) or 1.0
    return step * mean, omega / mean


def _measure(params: Params, problem: Regression, raw: Dataset) -> Dataset:
    """Mean step and sample weights of the trained layers, their risk on fresh prompts and that of predicting 0."""
    drifts = params.design == "drift"
    found = [_factors(own, problem.feature_covariance, drifts) for own in raw.impulse.values]
    return raw.assign(
        **variables("preconditioner", SQUARE, mean_of([step for step, _ in found])),
        **variables("omega", ("position",), mean_of([omega for _, omega in found])),
        **risks_of(raw, params.noise_variance),
    )


def _compare(params: Params, problem: Regression, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """As for attention, and the identified product of filter and preconditioner.

    In whitened features the risk is a quadratic in that product T with curvature at least the label power M, so that an
    excess e turns T by an angle of at most ``sin^2 = e / (M |T|^2)``; twice that where T is bound to be a product.
    """
    margin = allowance(params, problem.dim, problem.dim**2 + params.context_length)
    step, omega = prediction.preconditioner.values, prediction.omega.values
    weighted = np.einsum("i,spia->spa", omega, measured.products.values)
    risk, power = float(prediction.risk), float(prediction.label_power)
    found = arrived(measured, weighted @ step.T, risk, margin, RESOLUTION)
    root = problem.whitening[0]
    learnt = root @ measured.impulse.values[found.kept] @ root
    target = impulse_response(root @ step @ root, omega)
    square = float((target**2).sum())
    sizes = np.sqrt((learnt**2).sum(axis=(1, 2, 3)) * max(square, TINY))
    turned = 1 - np.abs((learnt * target).sum(axis=(1, 2, 3))) / np.maximum(sizes, TINY)
    per_excess = 2 * risk / max(power * square, TINY)
    angle = Check(
        name="1 - |cosine| of filter and preconditioner",
        deviation=float(turned.mean()),
        allowance=(-inf, per_excess * max(found.excess, 0.0)),
        resolution=FILTER_RESOLUTION,
        standard_error=per_excess * found.error,
        replicates=measured.sizes["prompt"] * len(turned),
    )
    named = {name: measured[f"weights_{name}"].values for name in ("query", "key", "value", "output", "filter")}
    gaps: list[float] = []
    for model, seen in enumerate(measured.impulse.values):
        own = impulse_response(*effective_wpgd({name: array[model] for name, array in named.items()}))
        gaps.append(float(np.abs(own - seen).max() / max(np.abs(seen).max(), TINY)))
    exact = exact_check("W and omega from the weights against measured", max(gaps), ROUNDING, EXACT_RESOLUTION)
    return (*risk_checks(measured, found, risk, margin, RESOLUTION), angle, exact)


def _weighing(weigh: Weigh, params: Params, problem: Regression) -> Dataset:
    """Other sample weights, with the preconditioner that is best for them."""
    other = weighed(weigh, params, problem)
    found = best_step(params, problem, weighted=True)
    return replace(found, omega=other.omega, preconditioner=in_features(problem, other.weights)).dataset()


def _reversed(params: Params, dim: int, along: Floats, query: Floats) -> Floats:
    return predictor(along, query, dim + 1 + params.noise_variance)[::-1]


icl_h3_wpgd_equivalence = Claim(
    id="icl-h3-wpgd-equivalence",
    title="H3 takes one weighted gradient step",
    short="One weighted step",
    statement="The best layer of H3 predicts like one preconditioned gradient step whose examples are weighted by its "
    "convolution filter, and no better. Where tasks drift, the filter forgets at the right rate.",
    latex=r"\min L_{\rm H3}=\min_{W,\omega}\mathbb E\big(y_q-x^\top WX^\top(\omega\odot y)\big)^2,\quad "
    r"\omega_i=f_{n+1-i}",
    symbols={
        r"L_{\rm H3}": Symbol("risk of a layer of H3", "risk"),
        "W": Symbol("preconditioner of the gradient step", "preconditioner"),
        r"\omega": Symbol("weight of each example", "omega"),
        "y_q": Symbol("the query's label"),
        "f_{n+1-i}": Symbol("convolution filter at the age of example i"),
    },
    source="arXiv 2407.10005, our reconstruction of the layer",
    kind="theorem",
    defaults={
        "design": "drift",
        "dim": 5,
        "context_length": 20,
        "spectrum_decay": 0.5,
        "steps": 600,
        "batch_size": 128,
        "replicates": 2000,
    },
    uses=PROMPTS | {"steps"},
    resolution=RESOLUTION,
    assumptions=step_assumptions,
    predict=_predict,
    measure=_measure,
    compare=_compare,
    mutate=scaled_off,
    experiment=trained_h3,
    rivals=(
        Rival("all examples alike", partial(_weighing, uniform), {}, "weighs examples as attention does"),
        Rival("order reversed", partial(_weighing, _reversed), {}, "reads the filter from the wrong end"),
        Rival(
            "weights equal to correlations",
            partial(_weighing, lambda params, dim, along, query: query),
            {"drift": "switch", "task_correlation": 0.5},
            "forgets that examples of one task repeat each other",
        ),
        Rival(
            "label noise alone",
            partial(_weighing, label_noise_alone),
            {},
            "forgets the noise of one example's features",
        ),
    ),
    power="No false alarm in 40 blocks of 8 layers that were not used for tuning; of 13 random settings inside the "
    "assumptions 5 held and 8 were undecided. A prediction off by twice the resolution was rejected in all of them.",
)
