"""What a population of features says about distillation: spectrum, learning curve, and advice for each direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from theory.core.errors import DataError, ParameterError
from theory.core.runs import fetch
from theory.core.vocabulary import Replicate, Stop
from theory.distillation.effective_ridge import Stats, stats
from theory.distillation.experiments.features import feature_students
from theory.distillation.feature_risk import held_out_risks
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Integers, Regression
from theory.distillation.student_risk import optimal_mask, optimal_surrogate
from theory.shared.statistics import Mean, mean_of

Action = Literal["amplify", "keep", "shrink", "drop"]
SAME = 0.01
"""A best factor within this of 1 leaves the feature as it is."""
FEWEST_SAMPLES, FEWEST_DIRECTIONS = 5, 8


@dataclass(frozen=True)
class Advice:
    """What the best teacher does to one principal direction, at one sample size.

    ``direction`` counts from 1, strongest first; ``column`` is the feature that weighs most in it, by name or number.
    ``factor`` is the best teacher's coefficient over the true one. ``action`` is amplify, keep or shrink by that
    factor, or drop where the best 0-1 teacher leaves the direction out.
    """

    direction: int
    column: str
    eigenvalue: float
    unlearnt_fraction: float
    factor: float
    action: Action


@dataclass(frozen=True, eq=False)
class FeatureReport:
    """Spectrum, learning curves and advice of a population of features.

    ``eigenvalues`` (r,) add up to 1. ``sizes`` (S,); ``predicted``, ``measured`` and its ``standard_error`` (S, arms)
    are excess risks on unseen rows; ``reliable`` (S,) where at most a tenth of the rows is sampled. ``advice`` is for
    ``n_samples``. ``population_is_large``: at least 8 rows for each feature.
    """

    n_rows: int
    rank: int
    eigenvalues: Floats
    arms: tuple[str, ...]
    sizes: Integers
    predicted: Floats
    measured: Floats
    standard_error: Floats
    reliable: tuple[bool, ...]
    n_samples: int
    advice: tuple[Advice, ...]
    population_is_large: bool
    summary: str
    notes: tuple[str, ...]


def feature_report(
    problem: Regression,
    n_samples: int | None = None,
    *,
    points: int = 8,
    trials: int = 20,
    seed: int = 0,
    stop: Stop | None = None,
) -> FeatureReport:
    """Report on the features of ``problem``; ``n_samples`` of the advice, by default a tenth of the rows or half of r.

    The learning curve has ``points`` sample sizes from 5 up to 0.9 r or a quarter of the rows, ``trials`` fits each.

    Raises:
        DataError: ``no_features`` (a bare spectrum), ``no_interpolation_gap`` (fewer than 8 directions).
        ParameterError: ``n_samples`` is out of range. Cancelled: ``stop()`` turned true.
    """
    if problem.features is None:
        raise DataError("no_features", "this problem is a spectrum without rows of features.")
    rows, rank = len(problem.features), problem.n_features
    if rank < FEWEST_DIRECTIONS:
        detail = f"features have rank {rank}: a student with more samples than that does not interpolate"
        raise DataError("no_interpolation_gap", f"{detail}; expected at least {FEWEST_DIRECTIONS} directions.")
    most = min(int(0.9 * rank), rows // 4)
    chosen = max(FEWEST_SAMPLES, min(rows // 10, rank // 2)) if n_samples is None else n_samples
    if not 1 <= chosen < min(rank, rows):
        raise ParameterError("n_samples", chosen, f"a whole number from 1 to {min(rank, rows) - 1}")
    sizes = np.unique(np.geomspace(FEWEST_SAMPLES, most, points).round().astype(np.int64))
    predicted: list[Floats] = []
    measured: list[Mean] = []
    names: list[str] = []
    for size in sizes.tolist():
        predicted.append(held_out_risks(stats(problem.eigenvalues, size), problem, size))
        params = Params().model_copy(update={"n_samples": size, "replicates": trials})
        (raw,), _ = fetch(feature_students, params, [Replicate(problem, seed)], stop=stop)
        measured.append(mean_of(raw["risk"].values))
        names = raw["arm"].values.tolist()
    advice = feature_advice(problem, chosen)
    large = rows >= 8 * rank
    return FeatureReport(
        rows,
        rank,
        problem.eigenvalues,
        tuple(names),
        sizes,
        np.array(predicted),
        np.array([found.mean for found in measured]),
        np.array([found.error for found in measured]),
        tuple(bool(size <= rows / 10) for size in sizes),
        chosen,
        advice,
        large,
        _summary(problem, chosen, advice, large),
        problem.notes,
    )


def feature_advice(problem: Regression, n_samples: float) -> tuple[Advice, ...]:
    """What the best teacher does to each principal direction at ``n_samples``; raises as ``solve_tau``."""
    found: Stats = stats(problem.eigenvalues, n_samples)
    factors = optimal_surrogate(found, np.ones(problem.n_features))
    kept = optimal_mask(found)
    columns = np.arange(problem.n_features) if problem.basis is None else np.abs(problem.basis).argmax(axis=0)
    advice: list[Advice] = []
    for index, factor in enumerate(factors.tolist()):
        column = int(columns[index])
        name = problem.feature_names[column] if problem.feature_names else f"column {column + 1}"
        advice.append(
            Advice(
                index + 1,
                name,
                float(problem.eigenvalues[index]),
                float(found.unlearnt_fraction[index]),
                factor,
                _action(factor, index < kept),
            )
        )
    return tuple(advice)


def _action(factor: float, kept: bool) -> Action:
    if not kept:
        return "drop"
    if abs(factor - 1) <= SAME:
        return "keep"
    return "amplify" if factor > 1 else "shrink"


def _summary(problem: Regression, n_samples: int, advice: tuple[Advice, ...], large: bool) -> str:
    risks = held_out_risks(stats(problem.eigenvalues, n_samples), problem, n_samples)
    counts = {action: sum(item.action == action for item in advice) for action in ("amplify", "keep", "shrink", "drop")}
    said = ", ".join(f"{action} {count}" for action, count in counts.items() if count)
    gain = f"the best teacher's student has {risks[2] / risks[0]:.3g} times the risk of true labels'"
    caution = "" if large else " Fewer than 8 rows for each feature: the truth itself is uncertain."
    return f"With {n_samples} samples {gain}; of {len(advice)} directions: {said}.{caution}"
