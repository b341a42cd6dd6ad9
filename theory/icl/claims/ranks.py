"""What a rank budget buys: low-rank attention, and low-rank updates of attention that was trained on another task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Assumption, Check, Claim, Predict, Rival, Symbol
from theory.icl.claims import assumptions as needs
from theory.icl.claims.optimum import gaussian_needs
from theory.icl.claims.shared import NO_ALARM, REJECTED, RESOLUTION, ROUNDING, SQUARE, lowered
from theory.icl.experiments.prompts import grams
from theory.icl.low_rank import left_over, lora_gains, lora_singular_values, low_rank_risks
from theory.icl.optimum import independent_optimum, optimal_preconditioner
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Integers, Regression
from theory.icl.simulation.prompt_risks import GramPrompts
from theory.shared.statistics import TINY, mean_check, mean_of, variables

MOST_RANKS = 5
"""Ranks whose best matrices are searched for, spread evenly from 1 to d - 1, and d."""


def _lora_needs(params: Params, problem: Regression) -> tuple[Assumption, ...]:
    power = float(np.trace(problem.new_task_covariance)) + params.noise_variance
    known = Assumption("new labels vary", power > 0, f"new task and noise have power {power:.3g}")
    return (*gaussian_needs(params, problem), known)


def tried_ranks(dim: int) -> Integers:
    """The ranks that are searched for."""
    return np.unique(np.linspace(1, dim, min(MOST_RANKS, dim)).round().astype(np.int64))


def _ladder(risks: Floats, start: Floats, label_power: float) -> Dataset:
    power = {"long_name": "risk of predicting 0", "spec_name": "M", "not_measured": "exact: no prompt enters"}
    return Dataset(
        {
            "rank_risk": (("rank",), risks, {"long_name": "best risk of rank 0, 1, ..., d"}),
            "start": (SQUARE, start, {"long_name": "W before the update"}),
            "label_power": ((), label_power, power),
        }
    )


def _searched(
    params: Params, problem: Regression, start: Floats, data: Dataset, new: bool
) -> tuple[list[int], Floats, list[float]]:
    """Ranks, risks on every other prompt (B, rank) of the best update of each that the rest show, and their flattery.

    Fitting to finitely many prompts costs a little: less than the matrices gain on the prompts they were fitted to.
    """
    ranks = [0, *tried_ranks(problem.dim).tolist()]
    fit, test = _prompts(params, problem, data, new).halves()
    risks = np.stack([test.risk(fit.best_update(start, rank)) for rank in ranks], axis=1)
    fitted = [float(test.risk(test.best_update(start, rank)).mean()) for rank in ranks]
    return ranks, risks, [float(here.mean()) - there for here, there in zip(risks.T, fitted, strict=True)]


def _prompts(params: Params, problem: Regression, data: Dataset, new: bool) -> GramPrompts:
    prompts = GramPrompts.of(params, problem, data)
    return replace(prompts, tasks=problem.new_task_covariance) if new else prompts


def _measure(new: bool, params: Params, problem: Regression, raw: Dataset) -> Dataset:
    """Risks of the best update of each rank (NaN for ranks that are not searched for), and where it started."""
    fit, _ = _prompts(params, problem, raw, False).halves()
    start = fit.best() if new else np.zeros((problem.dim, problem.dim))
    ranks, risks, _ = _searched(params, problem, start, raw, new)
    whole = np.full((len(risks), problem.dim + 1), np.nan)
    whole[:, ranks] = risks
    return raw.assign(start=(SQUARE, start), **variables("rank_risk", ("rank",), mean_of(whole)))


def _compare(
    new: bool, params: Params, problem: Regression, prediction: Dataset, measured: Dataset
) -> tuple[Check, ...]:
    """Risk of the best matrix of each rank that other prompts show; for LoRA with the old weights frozen."""
    ranks, risks, flattery = _searched(params, problem, prediction.start.values, measured, new)
    checks: list[Check] = []
    for rank, found, over in zip(ranks, risks.T, flattery, strict=True):
        level = max(float(prediction.rank_risk[rank]), TINY)
        allowance = (-ROUNDING, max(over, 0.0) / level + ROUNDING)
        checks.append(mean_check(f"risk of rank {rank}", found / level - 1, allowance, RESOLUTION))
    return tuple(checks)


def _predict_low(params: Params, problem: Regression) -> Dataset:
    values = problem.spectrum[0]
    risks = low_rank_risks(values, params.context_length, params.noise_variance)
    return _ladder(risks, np.zeros((problem.dim, problem.dim)), float(risks[0]))


def _low_rival(gains: Callable[[Floats, int, float], Floats]) -> Predict[Params, Regression]:
    """Another list of gains in the order in which ranks are spent."""

    def predict(params: Params, problem: Regression) -> Dataset:
        honest = _predict_low(params, problem)
        found = gains(problem.spectrum[0], params.context_length, params.noise_variance)
        risks = float(honest.label_power) - np.concatenate([[0.0], np.cumsum(found)])
        return honest.assign(rank_risk=(("rank",), risks))

    return predict


def _gains(values: Floats, n: int, noise: float) -> Floats:
    return independent_optimum(values, n, noise).gain


def _noiseless_gains(values: Floats, n: int, noise: float) -> Floats:
    return independent_optimum(values, n, 0.0).gain


def _equal_gains(values: Floats, n: int, noise: float) -> Floats:
    return np.full(len(values), float(_gains(values, n, noise).mean()))


def _restricted_power(values: Floats, n: int, noise: float) -> Floats:
    """Directions that are not learnt forgotten in the label power: as if the task had r directions only."""
    lowest = [float(independent_optimum(values[: r + 1], n, noise).gain.sum()) for r in range(len(values))]
    return np.diff(np.concatenate([[0.0], lowest]))


icl_low_rank = Claim(
    id="icl-low-rank",
    title="Rank r keeps the r strongest directions",
    short="Low rank",
    statement="Attention of rank r learns the r directions of the tasks with the largest eigenvalues as full attention "
    "would, and none of the others; each direction it drops costs exactly what that direction removes.",
    latex=r"\min_{\mathrm{rank}\,W\le r}L=M-\sum_{i\le r}g_i,\qquad g_i=\frac{n\lambda_i^2}{(n+1)\lambda_i+M}",
    symbols={
        r"\mathrm{rank}\,W\le r": Symbol("the rank budget", "rank"),
        "g_i": Symbol("risk that direction i removes"),
        r"\lambda_i": Symbol("eigenvalues of A, the largest first", "eigenvalues"),
        "M": Symbol("power of the labels: the risk of predicting 0", "label_power"),
    },
    source="arXiv 2407.10005; proof by Eckart-Young",
    kind="theorem",
    defaults={"dim": 5, "replicates": 3000, "basis_rotation": 0.5, "n_test": 1},
    uses=needs.PROMPTS | {"rank"},
    resolution=RESOLUTION,
    assumptions=gaussian_needs,
    predict=_predict_low,
    measure=partial(_measure, False),
    compare=partial(_compare, False),
    mutate=lowered("rank_risk"),
    experiment=grams,
    rivals=(
        Rival(
            "weakest directions first",
            _low_rival(lambda values, n, noise: _gains(values, n, noise)[::-1]),
            {},
            "keeps the directions that are hardest to learn",
        ),
        Rival("equal shares", _low_rival(_equal_gains), {}, "lets every rank remove the same risk"),
        Rival(
            "dropped directions forgotten",
            _low_rival(_restricted_power),
            {},
            "leaves the directions that are not learnt out of the label power",
        ),
        Rival("noise dropped", _low_rival(_noiseless_gains), {"noise_variance": 2.0}, "as if labels had no noise"),
    ),
    power=f"{NO_ALARM}, nor at 39 random settings. {REJECTED}",
)


def _predict_lora(params: Params, problem: Regression) -> Dataset:
    n, noise = params.context_length, params.noise_variance
    singular, lowest = lora_singular_values(problem, n, noise)
    power = float(np.sum(problem.feature_covariance * problem.new_task_covariance)) + noise
    found = _ladder(lowest + left_over(singular**2), optimal_preconditioner(problem, n, noise), power)
    about = {"long_name": "risk removed by each adapted direction", "not_measured": "differences of the ranks' risks"}
    return found.assign(adapted=(("direction",), singular**2, about))


def _lora_rival(order: Callable[[Floats, Floats, Floats], Floats], quiet: bool = False) -> Predict[Params, Regression]:
    """Spends the rank on directions in another order: ``order(old, new, gains)`` is a score, the largest first."""

    def predict(params: Params, problem: Regression) -> Dataset:
        honest = _predict_lora(params, problem)
        old, basis = problem.spectrum
        root = problem.whitening[0]
        new = np.maximum(np.diag(basis.T @ root @ problem.new_task_covariance @ root @ basis), 0.0)
        gains = lora_gains(old, new, params.context_length, 0.0 if quiet else params.noise_variance)
        spent = gains[np.argsort(-order(old, new, gains), kind="stable")]
        return honest.assign(rank_risk=(("rank",), float(honest.rank_risk[-1]) + left_over(spent)))

    return predict


icl_lora = Claim(
    id="icl-lora",
    title="LoRA repairs the directions that gain the most",
    short="LoRA",
    statement="Attention trained on old tasks is adapted to new ones by an update of rank r. The best update repairs "
    "the r directions with the largest gains, which are not those of the largest new eigenvalues.",
    latex=r"L_r=L^\star_{\rm new}+\sum_{k>r}\varsigma_k^2,\qquad "
    r"\varsigma=\text{singular values of }(W^\star_{\rm new}-W_{\rm old})S_{\rm new}^{1/2}",
    symbols={
        "L_r": Symbol("risk on the new tasks after an update of rank r", "rank_risk"),
        r"L^\star_{\rm new}": Symbol("best risk on the new tasks"),
        r"\varsigma_k^2": Symbol("what adapting one more direction repairs", "adapted"),
        r"W^\star_{\rm new}": Symbol("best preconditioner of the new tasks"),
        r"W_{\rm old}": Symbol("preconditioner before the update", "start"),
        r"S_{\rm new}": Symbol("second moment of X'y on the new tasks"),
    },
    source="arXiv 2407.10005 for shared directions; the general case is ours",
    kind="theorem",
    defaults={"dim": 5, "replicates": 3000, "basis_rotation": 0.5, "new_spectrum_decay": 2.0, "n_test": 1},
    uses=needs.PROMPTS | {"rank", "new_spectrum_decay", "new_eigenvalues", "new_task_covariance"},
    resolution=RESOLUTION,
    assumptions=_lora_needs,
    predict=_predict_lora,
    measure=partial(_measure, True),
    compare=partial(_compare, True),
    mutate=lowered("rank_risk"),
    experiment=grams,
    rivals=(
        Rival(
            "largest new eigenvalues",
            _lora_rival(lambda old, new, gains: new),
            {"eigenvalues": (0.2, 1.0, 4.0, 0.1), "new_eigenvalues": (2.0, 0.3, 4.0, 0.1)},
            "adapts what is large, not what has changed",
        ),
        Rival(
            "smallest gains",
            _lora_rival(lambda old, new, gains: -gains),
            {},
            "spends the rank where it helps least",
        ),
        Rival(
            "largest relative change",
            _lora_rival(lambda old, new, gains: np.abs(np.log(np.maximum(new, 1e-12) / np.maximum(old, 1e-12)))),
            {"eigenvalues": (1.0, 0.5, 0.001, 0.01), "new_eigenvalues": (0.2, 3.0, 0.1, 0.0001)},
            "adapts weak directions because their ratio is large",
        ),
    ),
    power=f"{NO_ALARM}, nor at 39 random settings. {REJECTED}",
)
