"""The best 0-1 mask: which features a teacher should not speak about."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Check, Claim, Predict, Rival, Symbol
from theory.distillation.claims.measures import entry_check, placed
from theory.distillation.claims.students import STUDENT, nearby_factor, safe_stats, slope_of, student_needs
from theory.distillation.effective_ridge import Stats
from theory.distillation.experiments.students import students
from theory.distillation.parameters import Params
from theory.distillation.problem import Floats, Regression
from theory.distillation.student_risk import mask_curve, optimal_mask, slope_error
from theory.shared.statistics import mean_check, mean_of, pooled, variables


def _mask_dataset(params: Params, problem: Regression, kept: Callable[[Stats], int]) -> Dataset:
    found = safe_stats(params, problem)
    curve = mask_curve(found, problem.eigenvalues, problem.signal)
    factor = nearby_factor(params, problem)
    nearby = mask_curve(safe_stats(params, problem, factor), problem.eigenvalues, problem.signal)
    fluctuating = 2 * problem.eigenvalues * (found.unlearnt_fraction * found.learnt_fraction * problem.signal) ** 2
    error = slope_error(slope_of(curve, nearby, factor)) * curve + np.concatenate([[0.0], np.cumsum(fluctuating)])
    return Dataset(
        {
            "kept": ((), kept(found), {"long_name": "features that the best mask keeps"}),
            "risk": (("cut",), curve, {"long_name": "excess risk without label noise"}),
            "risk_allowance": (("cut",), error / found.free_samples),
        },
        coords={"cut": np.arange(problem.n_features + 1)},
    )


def _with(kept: Callable[[Stats], int]) -> Predict[Params, Regression]:
    return lambda params, problem: _mask_dataset(params, problem, kept)


def _measure_mask(params: Params, problem: Regression, raw: Dataset) -> Dataset:
    """Risks at the cuts of the sweep without label noise, which shifts all alike; NaN at other cuts, and the best."""
    trials, cuts, size = pooled(raw["mask_constant"]), raw["kept"].values, problem.n_features + 1
    found = mean_of(trials)
    data = variables("risk", ["cut"], placed(found, cuts, size))
    data |= {"kept": ((), cuts[found.mean.argmin()]), "risk_trials": (("trial", "swept"), trials)}
    return Dataset(data, {"cut": np.arange(size), "swept": cuts})


def _compare_mask(params: Params, problem: Regression, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """The predicted cut costs no more than the best cut of the sweep (paired), and the sweep lies on the curve.

    The sweep's cuts are a factor apart, so the measured risk at the predicted cut is interpolated in log k; near its
    minimum the curve is flat to second order in that factor, which the neighbouring cuts bound.
    """
    cuts, risks = measured["swept"].values, measured.risk_trials.values
    curve, means = prediction.risk.values, measured.risk.values[cuts]
    kept = max(int(prediction["kept"]), 1)
    low = min(int(np.searchsorted(cuts, kept, side="right")) - 1, len(cuts) - 2)
    share = float(np.log(kept / cuts[low]) / np.log(cuts[low + 1] / cuts[low]))
    at_kept: Floats = risks[:, low] + share * (risks[:, low + 1] - risks[:, low])
    best = int(np.argmin(means))
    neighbours = curve[cuts[[max(best - 1, 0), min(best + 1, len(cuts) - 1)]]]
    interpolation = float(neighbours.max() / curve[cuts].min()) - 1
    near = cuts[curve[cuts] <= 2 * curve.min()]
    worst = int(near[np.argmax(np.abs(measured.risk.values[near] / curve[near] - 1))])
    return (
        mean_check(
            "excess of the predicted cut over the best measured one",
            (at_kept - risks[:, best]) / means[best],
            (-np.inf, interpolation + 1e-12),
            0.05,
            "n_samples",
        ),
        entry_check(f"risk with {worst} features kept", prediction, measured, "risk", 0.2, cut=worst),
    )


def _move_cut(prediction: Dataset, amount: float) -> Dataset:
    """The largest cut below the optimum whose predicted risk is ``amount`` worse than the best."""
    curve = prediction.risk.values
    best = int(np.argmin(curve))
    worse = np.flatnonzero(curve[: best + 1] >= (1 + 1.5 * amount) * curve.min())
    return prediction.assign(kept=((), int(worse[-1]) if len(worse) else 1))


optimal_mask_claim = Claim(
    id="optimal-mask",
    title="Throwing weak features away beats perfect labels",
    short="The best mask",
    statement="A teacher that only knows the leading features makes a better student than the truth at the same number "
    "of samples. The best mask keeps feature i exactly when ζᵢ² < 1 − Ω.",
    latex=r"\text{keep } i\iff \zeta_i^2<1-\Omega",
    symbols={"i": Symbol("a feature, counted from the strongest", "kept")},
    source="arXiv 2410.18837, our reconstruction",
    kind="theorem",
    defaults={},
    uses=STUDENT - {"noise_variance_target", "noisy_arms", "surrogate"},
    resolution=0.05,
    assumptions=student_needs,
    predict=_with(optimal_mask),
    measure=_measure_mask,
    compare=_compare_mask,
    mutate=_move_cut,
    experiment=students,
    rivals=(
        Rival(
            "threshold of amplification",
            _with(lambda found: int((found.unlearnt_fraction < found.one_minus_overfitting).sum())),
            {"signal_exponent": 1.1, "n_samples": 200},
            "cuts where ζ, not ζ², reaches 1 − Ω",
        ),
        Rival(
            "threshold at one half",
            _with(lambda found: int((found.unlearnt_fraction < 0.5).sum())),
            {"signal_exponent": 1.1, "spectrum_exponent": 1.3},
            "keeps what is at least half learnt",
        ),
    ),
    power="No false alarm at 75 random settings (four spectra, exponents 0 to 4 and 1.05 to 8, any n, noise, "
    "ridge) and 60 power laws, 200 trials each; 107 held. Cuts that cost 10 % were rejected wherever it "
    "held.",
)
