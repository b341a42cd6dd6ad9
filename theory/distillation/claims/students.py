"""What the claims about one student share: its teachers, their predicted risks, and how far the formula can be off."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Assumption
from theory.distillation.claims import assumptions as needs
from theory.distillation.claims.measures import arm_noise
from theory.distillation.effective_ridge import Stats, stats
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Regression
from theory.distillation.student_risk import (
    masked,
    noise_error,
    optimal_mask,
    optimal_surrogate,
    risk_of,
    shrinkage_error,
    slope_error,
)

SPECTRUM = frozenset(
    {
        "spectrum",
        "n_features",
        "spectrum_exponent",
        "signal_exponent",
        "rate",
        "head_fraction",
        "level_ratio",
        "eigenvalues",
        "signal",
        "data_seed",
        "features",
        "population_copies",
    }
)
OF_SPECTRUM = {"not_measured": "a number of the spectrum, not of a student"}
STUDENT = SPECTRUM | {"n_samples", "ridge", "noise_variance_target", "noisy_arms", "surrogate"}


def safe_stats(params: Params, problem: Regression, factor: float = 1.0) -> Stats:
    """Statistics at n times ``factor``; outside the theorem (n reaches p without ridge) those just below p."""
    most = np.inf if params.ridge > 0 else problem.n_features - 0.5
    return stats(problem.eigenvalues, min(factor * params.n_samples, most), params.ridge)


def teachers(found: Stats, problem: Regression) -> dict[str, Floats]:
    """The teachers (p,) that the theory names: the truth, the best 0-1 mask, the optimum, and a given one."""
    named = {
        "strong": problem.signal,
        "mask": masked(problem.signal, optimal_mask(found)),
        "optimal": optimal_surrogate(found, problem.signal),
    }
    return named | ({"given": problem.surrogate} if len(problem.surrogate) else {})


def student_needs(params: Params, problem: Regression) -> tuple[Assumption, ...]:
    return (
        needs.generated_spectrum(problem),
        needs.interpolates(params, problem),
        needs.enough_freedom(safe_stats(params, problem)),
        needs.resolvable_spectrum(params, problem),
    )


def predicted_risks(
    params: Params, problem: Regression, factor: float = 1.0, *, noisy: bool = True
) -> tuple[list[str], Floats, Stats]:
    """Teachers, excess risks (arms,) of their students at n times ``factor``, and the statistics there."""
    found = safe_stats(params, problem, factor)
    named = teachers(found, problem)
    columns = np.column_stack(list(named.values()))
    noise = arm_noise(params, list(named)) if noisy else np.zeros(len(named))
    risks = risk_of(found, problem.eigenvalues, problem.signal, columns).risk + found.noise_amplification * noise
    return list(named), risks, found


def nearby_factor(params: Params, problem: Regression) -> float:
    """By how much n is multiplied to see a local slope, inside the range where predictions are defined."""
    return 1.1 if params.ridge > 0 or 1.1 * params.n_samples < problem.n_features else 0.95


def slope_of(here: Floats, there: Floats, factor: float) -> Floats:
    """Local slope -d log R / d log n from values at n and at n times ``factor``."""
    return -np.log(np.maximum(there, 1e-300) / np.maximum(here, 1e-300)) / np.log(factor)


def allowances(params: Params, problem: Regression, *, noisy: bool = True) -> Floats:
    """Relative finite-size error allowed to each arm's risk: signal and noise have their own, of order 1 / n_free."""
    factor = nearby_factor(params, problem)
    names, signal_part, found = predicted_risks(params, problem, noisy=False)
    _, nearby, moved = predicted_risks(params, problem, factor, noisy=False)
    amplification = found.noise_amplification
    noise_part = amplification * arm_noise(params, names) if noisy else np.zeros(len(names))
    noise_slope = slope_of(np.array(amplification), np.array(moved.noise_amplification), factor)
    columns = np.column_stack(list(teachers(found, problem).values()))
    error = slope_error(slope_of(signal_part, nearby, factor)) * signal_part
    error = error + shrinkage_error(found, problem.eigenvalues, columns) + noise_error(noise_slope) * noise_part
    return error / np.maximum(signal_part + noise_part, 1e-300) / found.free_samples


def risk_dataset(names: list[str], risks: Floats, allowed: Floats, found: Stats) -> Dataset:
    """Predicted risks by arm with their finite-size allowance (given relative) and the statistics behind them."""
    return Dataset(
        {
            "risk": (("arm",), risks, {"long_name": "excess risk", "spec_name": "R"}),
            "risk_allowance": (("arm",), allowed * risks, {"long_name": "finite-size error allowed"}),
            "effective_ridge": ((), found.effective_ridge, {"spec_name": "tau"} | OF_SPECTRUM),
            "overfitting": ((), found.overfitting, {"spec_name": "omega"} | OF_SPECTRUM),
            "free_samples": ((), found.free_samples, {"spec_name": "n_free"} | OF_SPECTRUM),
        },
        coords={"arm": names},
    )
