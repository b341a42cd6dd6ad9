"""Measured learning curves for the page: the experiments' own trials at many sample sizes, through the store.

A curve keeps what every trial's fit says about all noise levels, so that a noise slider needs no new fit.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
import xarray as xr
from xarray import Dataset

from theory.core.result import stack
from theory.core.runs import fetch
from theory.core.vocabulary import Experiment, Replicate, Stop
from theory.distillation.claims.two_stage import measure_stages
from theory.distillation.experiments.features import feature_students
from theory.distillation.experiments.stages import two_stages
from theory.distillation.experiments.students import coordinates, students
from theory.distillation.parameters import Params
from theory.distillation.problem import Integers, Regression
from theory.shared.statistics import pooled

SIZES = 9
SEEDS = 2
"""Blocks of trials per sample size of a curve."""
COORDINATE_SEEDS = 4
BUDGET = 2e9
"""Floating-point operations per block: large fits get fewer trials, and none below FEWEST."""
FEWEST = 4
EACH_SECONDS = 0.3
"""How often a growing curve is shown."""
MOST_SAMPLES = 1500
"""A Gram matrix of this side is the largest that a page waits for."""


def curve_span(params: Params, problem: Regression) -> tuple[float, float]:
    """Smallest and largest n of a learning curve: up to the interpolation peak, beyond it with a ridge."""
    size = problem.n_features
    low = max(5.0, size / 50)
    return min(low, params.n_samples), max(0.98 * size if params.ridge == 0 else 2.0 * size, low + 1)


def fits_key(params: Params, problem: Regression) -> str:
    """What the fits of a learning curve depend on: neither n nor any noise is in it."""
    return f"{problem.fingerprint} {params.ridge!r} {params.replicates}"


def curve_sizes(params: Params, problem: Regression) -> Integers:
    """Sample sizes that are measured, ascending: evenly in the logarithm, and the sliders' own n."""
    low, high = max(5.0, problem.n_features / 50), curve_span(params, problem)[1]
    even = np.geomspace(low, 0.92 * high, SIZES).round().astype(np.int64)
    return np.unique(np.append(even, params.n_samples))


def block_trials(params: Params, problem: Regression, n_samples: int) -> int:
    """Trials in one block at this sample size; 0 where a trial takes too long."""
    n, p = n_samples, problem.n_features
    outputs = 64 if problem.signals is None else 4 * problem.signals.shape[1]
    work = n * n * p + n**3 / 3 + 2.0 * n * p * outputs + (n * p * p if problem.features is not None else 0)
    trials = min(int(BUDGET / work), params.replicates)
    return trials if trials >= min(FEWEST, params.replicates) and n <= MOST_SAMPLES else 0


def trials_of(
    experiment: Experiment[Params, Regression], params: Params, problem: Regression, seeds: int, stop: Stop
) -> Dataset:
    """Raw results of an experiment on one problem, stacked along ``seed``; from the store where they are there."""
    return stack(fetch(experiment, params, [Replicate(problem, seed) for seed in range(seeds)], stop=stop)[0])


def measured_curve(params: Params, problem: Regression, emit: Callable[[float, Dataset], None], stop: Stop) -> Dataset:
    """Students at every sample size of :func:`curve_sizes`, on sampled Gaussian data or on rows of real features.

    ``emit`` receives the curve as it grows. Dimensions: size, trial (NaN where a size has fewer), arm. Variables:
    ``constant``, ``linear`` and ``quadratic`` of the risk in the noise's standard deviation; attribute ``fits``.

    Raises:
        Cancelled: ``stop()`` turned true.
    """
    found: list[tuple[int, Dataset]] = []
    sizes = [int(n) for n in curve_sizes(params, problem) if block_trials(params, problem, int(n))]
    # The sliders' own n first: its students are what the visitor asked for.
    sizes.sort(key=lambda n: n != params.n_samples)
    experiment = students if problem.features is None else feature_students
    shown = perf_counter()
    for position, n in enumerate(sizes):
        here = params.model_copy(update={"n_samples": n, "replicates": block_trials(params, problem, n)})
        raw = trials_of(experiment, here, problem, SEEDS, stop)
        if "not_run" not in raw.attrs and raw.sizes:
            found.append((n, raw))
        # Fits that are in the store come all at once: a whole curve on the screen must not blink into its first points.
        if perf_counter() - shown > EACH_SECONDS:
            emit((position + 1) / len(sizes), _together(found, params, problem))
            shown = perf_counter()
    whole = _together(found, params, problem)
    emit(1.0, whole)
    return whole


def fits_of(params: Params, problem: Regression, raw: Dataset | None) -> Dataset | None:
    """The one point of a learning curve that a claim about students measured at the sliders' n."""
    usable = raw is not None and "constant" in raw
    return _together([(params.n_samples, raw)], params, problem) if raw is not None and usable else None


def measured_factors(params: Params, problem: Regression, stop: Stop) -> Dataset | None:
    """Trials of the experiment on single coordinates at the sliders' n; None where it cannot be run."""
    trials = block_trials(params, problem, params.n_samples)
    if problem.features is not None or not trials:
        return None
    raw = trials_of(coordinates, params.model_copy(update={"replicates": trials}), problem, COORDINATE_SEEDS, stop)
    return None if "coordinate_linear" not in raw else raw


def measured_teachers(params: Params, problem: Regression, sizes: Integers, stop: Stop) -> Dataset:
    """Fitted teachers and their students at several sample sizes m of the teacher, at the sliders' noises.

    Returns:
        ``risk`` and ``risk_se`` (m_measured, arm), as the claim about fitted teachers measures them.
    """
    trials = block_trials(params, problem, params.n_samples)
    found: list[Dataset] = []
    for m in sizes.tolist() if trials else ():
        here = params.model_copy(update={"n_teacher_samples": m, "replicates": trials})
        raw = trials_of(two_stages, here, problem, SEEDS, stop)
        if "moments" not in raw:
            return Dataset()
        found.append(measure_stages(here, problem, raw)[["risk", "risk_se"]])
    if not found:
        return Dataset()
    return xr.concat(found, "m_measured").assign(m_measured=("m_measured", sizes))


def _together(found: list[tuple[int, Dataset]], params: Params, problem: Regression) -> Dataset:
    """Blocks of several sample sizes as one Dataset, ascending in n."""
    ordered = sorted(found, key=lambda pair: pair[0])
    points = [_coefficients(raw) for _, raw in ordered]
    whole = xr.concat(points, "size", join="outer", data_vars="all") if points else Dataset()
    return whole.assign(size=("size", [n for n, _ in ordered])).assign_attrs(fits=fits_key(params, problem))


def _coefficients(raw: Dataset) -> Dataset:
    """The risk's coefficients by trial (trial, arm); real features' labels have noise of their own only."""
    constant = pooled(raw["risk" if "risk" in raw else "constant"])
    nothing = np.zeros((len(constant), 1))
    linear = pooled(raw["linear"]) if "linear" in raw else nothing
    quadratic = pooled(raw["quadratic"])[:, None] if "quadratic" in raw else nothing
    parts = {"constant": constant, "linear": linear, "quadratic": quadratic}
    return Dataset(
        {name: (("trial", "arm"), np.broadcast_to(part, constant.shape)) for name, part in parts.items()},
        coords={"trial": np.arange(len(constant)), "arm": raw["arm"].values},
    )
