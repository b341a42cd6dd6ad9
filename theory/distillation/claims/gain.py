"""How much a teacher can gain at all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Check, Claim, Rival
from theory.distillation.claims.measures import flat
from theory.distillation.claims.students import STUDENT, allowances, predicted_risks, student_needs
from theory.distillation.effective_ridge import Stats
from theory.distillation.experiments.students import students
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Regression
from theory.distillation.student_risk import gain_bounds


def _bounds_dataset(params: Params, problem: Regression, floors: Callable[[Stats], tuple[float, float]]) -> Dataset:
    names, risks, found = predicted_risks(params, problem, noisy=False)
    relative = allowances(params, problem, noisy=False)
    strong = names.index("strong")
    order = [names.index("optimal"), names.index("mask")]
    return Dataset(
        {
            "ratio": (("arm",), risks[order] / risks[strong], {"long_name": "risk over the risk of true labels"}),
            "floor": (("arm",), np.array(floors(found)), {"long_name": "smallest ratio that any truth allows"}),
            "allowance": (
                ("arm",),
                relative[order] + relative[strong],
                {"long_name": "relative finite-size error allowed"},
            ),
        },
        coords={"arm": ["optimal", "mask"]},
    )


def _compare_bounds(params: Params, problem: Regression, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """Measured ratio of mean risks, paired trial by trial: above its floor and below one."""
    measured = dict(zip(raw["arm"].values.tolist(), flat(raw, "constant").T, strict=True))
    strong = measured["strong"]
    checks: list[Check] = []
    for arm in ("optimal", "mask"):
        ratio = float(measured[arm].mean() / strong.mean())
        residual: Floats = (measured[arm] - ratio * strong) / float(strong.mean())
        count = len(residual)
        spread = float(residual.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
        floor = float(prediction.floor.sel(arm=arm))
        slack = float(prediction.allowance.sel(arm=arm)) * ratio
        above = Check(
            name=f"{arm} over strong risk, above its floor",
            deviation=ratio - floor,
            allowance=(-slack, np.inf),
            resolution=0.2,
            standard_error=spread,
            dof=count - 1,
            replicates=count,
            raise_hint="n_samples",
        )
        below = Check(
            name=f"{arm} over strong risk, minus one",
            deviation=ratio - 1,
            allowance=(-np.inf, slack),
            resolution=0.2,
            standard_error=spread,
            dof=count - 1,
            replicates=count,
            raise_hint="n_samples",
        )
        checks += [above, below]
    return tuple(checks)


w2s_gain_bounds = Claim(
    id="w2s-gain-bounds",
    title="No teacher can gain more than the overfitting allows",
    statement="Without noise the best teacher never hurts, and divides the risk at most by 1/min(Ω, 1 − Ω), whatever "
    "the truth; the best mask at most by 1/(1 − Ω). While Ω stays away from 0 and 1, no teacher changes the exponent.",
    latex=r"\min(\Omega,1-\Omega)\le\frac{R_{\mathrm{opt}}}{R_{\mathrm{strong}}}\le1,\qquad "
    r"1-\Omega\le\frac{R_{\mathrm{mask}}}{R_{\mathrm{strong}}}\le1",
    source="arXiv 2410.18837 (strict gain); the two-sided ceiling is ours",
    kind="extension",
    defaults={},
    uses=STUDENT - {"noise_variance_target", "noisy_arms", "surrogate"},
    resolution=0.2,
    assumptions=student_needs,
    predict=lambda params, problem: _bounds_dataset(params, problem, gain_bounds),
    compare=_compare_bounds,
    mutate=lambda prediction, amount: prediction.assign(floor=prediction.ratio + 1.2 * amount),
    experiment=students,
    rivals=(
        Rival(
            "overfitting as the floor",
            lambda params, problem: _bounds_dataset(
                params, problem, lambda found: (found.overfitting, found.one_minus_overfitting)
            ),
            {"spectrum": "exponential", "rate": 0.05, "signal_exponent": 3.0, "n_samples": 160},
            "forgets that the ceiling falls again as Ω approaches one",
        ),
        Rival(
            "floor of one half",
            lambda params, problem: _bounds_dataset(params, problem, lambda found: (0.5, 0.5)),
            {"spectrum": "exponential", "rate": 0.05, "signal_exponent": 3.0, "n_samples": 160},
            "says that no teacher does better than halving the risk",
        ),
    ),
    power="No false alarm at 75 random settings (four spectra, exponents 0 to 4 and 1.05 to 8, any n, noise, "
    "ridge) and 60 power laws, 200 trials each. Floors that are 0.4 too high were rejected wherever it "
    "held.",
)
