"""What the opening picture draws: the best teacher feature by feature, and what it does to the learning curve."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from xarray import Dataset

from theory.distillation.claims.measures import arm_noise
from theory.distillation.claims.students import safe_stats
from theory.distillation.curves import Curves, learning_curves
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Integers, Regression
from theory.distillation.simulation.learning_curves import curve_span, fits_key
from theory.distillation.student_risk import amplified, optimal_mask, optimal_surrogate, risk
from theory.shared.statistics import pooled, ratio_of

FEATURES, SAMPLES = 130, 50
"""Points per curve, evenly in the logarithm; as many features again evenly in their number."""
UNCERTAIN = 0.15
"""Measured factors with a larger standard error, in units of the factor or of one, are not shown."""
ARMS: tuple[str, ...] = ("strong", "mask", "optimal")


def anatomy(params: Params, problem: Regression, raw: Dataset | None = None) -> Dataset:
    """The best teachers relative to the truth, feature by feature, and the statistic that decides it.

    ``raw`` are trials of the experiment on single coordinates.

    Returns:
        ``factor`` (teacher, feature): strong, mask, optimal and a given teacher over the truth; ``unlearnt_fraction``
        [zeta] (feature); scalars ``amplified``, ``kept`` (numbers of features), ``overfitting`` [Omega],
        ``free_samples``, ``n_features``; with ``raw``: ``measured`` (statistic, probed).
    """
    found = safe_stats(params, problem)
    kept = optimal_mask(found)
    count = amplified(found)
    shown = _spread(problem.n_features, (count, kept))
    at = shown - 1
    factors = [
        np.ones(len(shown)),
        (shown <= kept).astype(np.float64),
        optimal_surrogate(found, np.ones(problem.n_features))[at],
    ]
    names = list(ARMS)
    if len(problem.surrogate):
        truth = problem.signal[at]
        factors.append(np.where(truth != 0, problem.surrogate[at] / np.where(truth == 0, 1.0, truth), np.nan))
        names.append("given")
    data: dict[str, object] = {
        "factor": (("teacher", "feature"), np.array(factors), {"long_name": "teacher over truth"}),
        "unlearnt_fraction": ("feature", found.unlearnt_fraction[at], {"spec_name": "zeta"}),
        "amplified": ((), count, {"long_name": "features that the best teacher amplifies"}),
        "kept": ((), kept, {"long_name": "features that the best mask keeps"}),
        "overfitting": ((), found.overfitting, {"spec_name": "omega"}),
        "one_minus_overfitting": ((), found.one_minus_overfitting),
        "free_samples": ((), found.free_samples, {"spec_name": "n_free"}),
        "n_features": ((), problem.n_features),
        "n_samples": ((), params.n_samples),
    }
    coords: dict[str, object] = {"teacher": names, "feature": shown}
    if raw is not None:
        probed, measured = _factors(raw)
        data["measured"] = (("statistic", "probed"), measured)
        coords |= {"probed": probed, "statistic": ["mean", "low", "high"]}
    return Dataset(data, coords=coords)


def curves(params: Params, problem: Regression, fits: Dataset | None = None) -> Dataset:
    """Excess risk against the number of samples, by teacher, predicted and (with ``fits``) measured.

    ``fits`` is ``simulation.learning_curves.measured_curve``; fits of another problem are left out. Rows of real
    features are judged on the rows that a student did not see.

    Returns:
        ``predicted`` (arm, n), ``now`` (arm: at the sliders' n), with fits ``measured`` (statistic, arm, size: mean and
        mean -+ 2 SE) and ``trials`` (size). Scalars ``n_samples``, ``free_samples``.
    """
    low, high = curve_span(params, problem)
    # Evenly in log n, and again towards the interpolation peak, where the curves are steep.
    sizes = np.unique(np.append(np.geomspace(low, high, SAMPLES), high - np.geomspace(1e-3, 0.3, 15) * high))
    sizes = sizes[sizes >= low]
    arms = [*ARMS, *(("given",) if len(problem.surrogate) else ())]
    found = safe_stats(params, problem)
    here = float(np.clip(params.n_samples, low, high))
    data: dict[str, object] = {
        "predicted": (("arm", "n"), arm_curves(params, problem, sizes, arms), {"long_name": "excess risk"}),
        "now": ("arm", arm_curves(params, problem, np.array([here]), arms)[:, 0]),
        "n_samples": ((), here),
        "free_samples": ((), found.free_samples, {"spec_name": "n_free"}),
    }
    coords: dict[str, object] = {"n": sizes, "arm": arms}
    if fits is not None and fits.attrs["fits"] == fits_key(params, problem) and fits.sizes["size"]:
        common = [arm for arm in arms if arm in fits["arm"].values]
        found = statistics(params, problem, fits.sel(arm=common))
        full = np.full((3, len(arms), len(found.count)), np.nan)
        full[:, [arms.index(arm) for arm in common]] = band(found.mean.T, found.error.T)
        data["measured"] = (("statistic", "arm", "size"), full, {"long_name": "excess risk"})
        data["trials"] = ("size", found.count)
        coords |= {"size": fits["size"].values, "statistic": ["mean", "low", "high"]}
    return Dataset(data, coords=coords)


@dataclass(frozen=True, eq=False)
class Measured:
    """Of the trials at each sample size: ``mean``, ``deviation`` and ``error`` of the mean (size, arm), ``count``."""

    mean: Floats
    deviation: Floats
    error: Floats
    count: Integers


def statistics(params: Params, problem: Regression, fits: Dataset) -> Measured:
    """Excess risks of all trials at the sliders' noise; where a size has fewer trials than others, NaN stands."""
    noise = _noise(params, problem, [str(arm) for arm in fits["arm"].values])
    linear, quadratic = fits.linear.values, fits.quadratic.values
    known = fits.constant.values + np.sqrt(noise) * linear + noise * quadratic
    count = np.isfinite(known).any(axis=2).sum(axis=1)
    mean = np.nanmean(known, axis=1)
    deviation = np.nanstd(known, axis=1, ddof=1) if known.shape[1] > 1 else 0 * mean
    return Measured(mean, deviation, deviation / np.sqrt(count)[:, None], count)


def arm_curves(params: Params, problem: Regression, sizes: Floats, arms: list[str]) -> Floats:
    """Predicted excess risk (arm, n) at any sample sizes at which a prediction exists."""
    found = _clean(problem.eigenvalues.tobytes(), problem.signal.tobytes(), params.ridge, sizes.tobytes())
    noise = _noise(params, problem, arms)
    amplification = found.overfitting / found.one_minus_overfitting
    known = {"strong": found.strong, "mask": found.mask, "optimal": found.optimal}
    if "given" in arms:
        known["given"] = _given(problem, params.ridge, sizes)
    rows = np.array([known[arm] for arm in arms]) + noise[:, None] * amplification
    if problem.features is not None:  # rows already seen cost nothing: the unseen ones carry all of the risk
        rows = rows / np.maximum(1 - sizes / len(problem.features), 1e-3)
    return rows


def _noise(params: Params, problem: Regression, arms: list[str]) -> Floats:
    return arm_noise(params, arms) if problem.features is None else np.zeros(len(arms))


@lru_cache(maxsize=32)
def _clean(eigenvalues: bytes, signal: bytes, ridge: float, sizes: bytes) -> Curves:
    """Noiseless curves; a move of n or of a noise finds them here."""
    return learning_curves(np.frombuffer(eigenvalues), np.frombuffer(signal), np.frombuffer(sizes), 0.0, ridge)


def _given(problem: Regression, ridge: float, sizes: Floats) -> Floats:
    lam, truth, teacher = problem.eigenvalues, problem.signal, problem.surrogate
    return np.array([float(risk(lam, truth, teacher, n, 0.0, ridge).risk) for n in sizes.tolist()])


def _spread(size: int, edges: tuple[int, ...]) -> Integers:
    """Features 1..size, evenly in the logarithm, with those on both sides of every edge."""
    even = np.append(np.geomspace(1, size, FEATURES), np.linspace(1, size, FEATURES)).round().astype(np.int64)
    sides = [place for edge in edges for place in (edge, edge + 1) if 1 <= place <= size]
    return np.unique(np.append(even, np.array(sides, dtype=np.int64)))


def _factors(raw: Dataset) -> tuple[Integers, Floats]:
    """Best factor of single features, as the ratio of two means over trials, with its delta-method interval."""
    found = ratio_of(pooled(raw["coordinate_linear"]), pooled(raw["coordinate_quadratic"]))
    shown = found.error < UNCERTAIN * np.maximum(found.mean, 1.0)
    steps = [found.mean, found.mean - 2 * found.error, found.mean + 2 * found.error]
    return raw["feature"].values[shown], np.stack(steps)[:, shown]


def band(mean: Floats, error: Floats) -> Floats:
    """Mean, mean - 2 SE (above 0, for logarithmic axes) and mean + 2 SE, along a leading axis ``statistic``."""
    return np.stack([mean, np.maximum(mean - 2 * error, 1e-3 * mean), mean + 2 * error])
