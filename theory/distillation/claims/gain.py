"""How much a teacher can gain at all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Check, Claim, Predict, Rival, Symbol
from theory.distillation.claims.students import STUDENT, allowances, predicted_risks, student_needs
from theory.distillation.effective_ridge import Stats
from theory.distillation.experiments.students import students
from theory.distillation.parameters import Params
from theory.distillation.problem import Regression
from theory.distillation.student_risk import gain_bounds
from theory.shared.statistics import difference_check, entry_of, pooled, ratio_of, variables

ARMS = ["optimal", "mask"]
STEEP = {"spectrum": "exponential", "rate": 0.05, "signal_exponent": 3.0, "n_samples": 160}


def _bounds_dataset(params: Params, problem: Regression, floors: Callable[[Stats], tuple[float, float]]) -> Dataset:
    names, risks, found = predicted_risks(params, problem, noisy=False)
    relative = allowances(params, problem, noisy=False)
    strong = names.index("strong")
    order = [names.index(arm) for arm in ARMS]
    return Dataset(
        {
            "ratio": (("arm",), risks[order] / risks[strong], {"long_name": "risk over the risk of true labels"}),
            "ratio_allowance": (
                ("arm",),
                (relative[order] + relative[strong]) * risks[order] / risks[strong],
                {"long_name": "finite-size error allowed"},
            ),
            "floor": (
                ("arm",),
                np.array(floors(found)),
                {"long_name": "smallest ratio that any truth allows", "not_measured": "a bound on the ratio"},
            ),
        },
        coords={"arm": ARMS},
    )


def _with(floors: Callable[[Stats], tuple[float, float]]) -> Predict[Params, Regression]:
    return lambda params, problem: _bounds_dataset(params, problem, floors)


def _measure_bounds(params: Params, problem: Regression, raw: Dataset) -> Dataset:
    """Ratios of mean noiseless risks, paired trial by trial."""
    trials, names = pooled(raw["constant"]), raw["arm"].values.tolist()
    order = [names.index(arm) for arm in ARMS]
    ratio = ratio_of(trials[:, order], trials[:, [names.index("strong")]])
    return Dataset(variables("ratio", ["arm"], ratio), {"arm": ARMS})


def _compare_bounds(params: Params, problem: Regression, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Measured ratio of mean risks: above its floor and below one."""
    checks: list[Check] = []
    for arm in ARMS:
        found, here = entry_of(measured, "ratio", arm=arm), prediction.sel(arm=arm)
        slack = float(here.ratio_allowance / here.ratio) * found.mean
        for side, bound, allowed in (
            ("above its floor", float(here.floor), (-slack, np.inf)),
            ("minus one", 1.0, (-np.inf, slack)),
        ):
            checks.append(difference_check(f"{arm} over strong risk, {side}", found, bound, allowed, 0.2, "n_samples"))
    return tuple(checks)


w2s_gain_bounds = Claim(
    id="w2s-gain-bounds",
    title="No teacher can gain more than the overfitting allows",
    short="Bounds on the gain",
    statement="Without noise the best teacher never hurts, and divides the risk at most by 1/min(Ω, 1 − Ω), whatever "
    "the truth; the best mask at most by 1/(1 − Ω). While Ω stays away from 0 and 1, no teacher changes the exponent.",
    latex=r"\min(\Omega,1-\Omega)\le\frac{R_{\mathrm{opt}}}{R_{\mathrm{strong}}}\le1,\qquad "
    r"1-\Omega\le\frac{R_{\mathrm{mask}}}{R_{\mathrm{strong}}}\le1",
    symbols={
        r"R_{\mathrm{opt}}": Symbol("risk with the best teacher", "ratio"),
        r"R_{\mathrm{mask}}": Symbol("risk with the best 0-1 mask", "ratio"),
        r"R_{\mathrm{strong}}": Symbol("risk with true labels"),
        r"\min(\Omega,1-\Omega)": Symbol("smallest ratio that any teacher can reach", "floor"),
    },
    source="arXiv 2410.18837 (strict gain); the two-sided ceiling is ours",
    kind="extension",
    defaults={},
    uses=STUDENT - {"noise_variance_target", "noisy_arms", "surrogate"},
    resolution=0.2,
    assumptions=student_needs,
    predict=_with(gain_bounds),
    measure=_measure_bounds,
    compare=_compare_bounds,
    mutate=lambda prediction, amount: prediction.assign(floor=prediction.ratio + 1.2 * amount),
    experiment=students,
    rivals=(
        Rival(
            "overfitting as the floor",
            _with(lambda found: (found.overfitting, found.one_minus_overfitting)),
            STEEP,
            "forgets that the ceiling falls again as Ω approaches one",
        ),
        Rival(
            "floor of one half",
            _with(lambda found: (0.5, 0.5)),
            STEEP,
            "says that no teacher does better than halving the risk",
        ),
    ),
    power="No false alarm at 75 random settings (four spectra, exponents 0 to 4 and 1.05 to 8, any n, noise, "
    "ridge) and 60 power laws, 200 trials each. Floors that are 0.4 too high were rejected wherever it "
    "held.",
)
