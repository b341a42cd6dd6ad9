"""What the figures of the sections *Test* and *Why* draw: whole learning curves, gains, fitted teachers, exponents."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.core.errors import BenchError
from theory.core.vocabulary import Stop
from theory.distillation.claims.students import allowances
from theory.distillation.curves import gain_map as gains
from theory.distillation.curves import learning_curves, limit_slopes, local_slopes, tuned_ridge
from theory.distillation.data import draw
from theory.distillation.effective_ridge import stats
from theory.distillation.experiments.students import students
from theory.distillation.parameters import Params
from theory.distillation.power_law import SMALLEST_SPECTRUM_EXPONENT
from theory.distillation.problem import Floats, Integers, Regression
from theory.distillation.simulation.learning_curves import SEEDS, block_trials, trials_of
from theory.distillation.stage_curves import features_seen, two_stage_curve
from theory.distillation.student_risk import amplified, optimal_mask
from theory.distillation.views.talk import ARMS, arm_curves, band, curves, statistics
from theory.shared.statistics import mean_of, pooled

MAP_FEATURES, MAP_STEPS = 200, 33
TEACHERS, ROTATED_TEACHERS = 90, 30
"""Sample sizes of the teacher along a curve; another basis costs two products of matrices at each."""
MEASURED_TEACHERS = 9
PEAK = 0.05
PAPER = {"n_features": 500, "spectrum_exponent": 2.0, "signal_exponent": 1.5}
PAPER_SIZES = (25, 50, 100, 200, 300, 400, 450)


def learning(params: Params, problem: Regression, fits: Dataset | None = None) -> Dataset:
    """The curves of the opening picture with their fair competitor and everything that judges them.

    Returns:
        What :func:`theory.distillation.views.talk.curves` returns, and ``ridge`` (n: true labels with the best penalty
        at each n; NaN for real features), with fits ``residual`` (arm, size: measured less predicted over what the
        verdict tolerates), ``spread`` (arm, n: relative standard deviation of a single run) and ``slope`` (kind, arm:
        predicted and measured slopes of log risk on log n over the measured sizes).
    """
    data = curves(params, problem, fits)
    n = data.n.values
    tuned = np.full(len(n), np.nan)
    inside = n < problem.n_features
    if problem.features is None:
        noise = params.noise_variance_target
        tuned[inside] = tuned_ridge(problem.eigenvalues, problem.signal, n[inside], noise)
    data = data.assign(ridge=("n", tuned))
    if fits is None or "measured" not in data:
        return data
    arms = [str(arm) for arm in fits["arm"].values if arm in data.arm.values]
    sizes = fits["size"].values.astype(np.float64)
    found = statistics(params, problem, fits.sel(arm=arms))
    predicted = arm_curves(params, problem, sizes, arms).T
    tolerated = 4 * found.error + _allowed(params, problem, fits["size"].values, arms) * predicted
    # One number for each arm: relative scatter times sqrt(n_free) hardly depends on n.
    free = _free(problem, params, sizes)[:, None]
    scale = np.sqrt(np.mean((found.deviation / predicted) ** 2 * free, axis=0))
    names = [str(name) for name in data.arm.values]
    rows = [names.index(arm) for arm in arms]
    residual, spread, slope = (
        np.full(shape, np.nan) for shape in ((len(names), len(sizes)), (len(names), len(n)), (2, len(names)))
    )
    residual[rows] = ((found.mean - predicted) / tolerated).T
    spread[rows] = scale[:, None] / np.sqrt(_free(problem, params, n))
    if len(sizes) > 1:
        slope[:, rows] = [np.polyfit(np.log(sizes), np.log(values), 1)[0] for values in (predicted, found.mean)]
    return data.assign(
        residual=(("arm", "size"), residual),
        spread=(("arm", "n"), spread),
        slope=(("kind", "arm"), slope, {"long_name": "slopes of log risk on log n: predicted, measured"}),
    )


def gain_map(params: Params, problem: Regression) -> Dataset:
    """Optimal over strong risk against spectrum exponent and n/p, for power laws.

    Returns:
        ``ratio`` and ``floor`` (exponent, share): the gain, and its smallest possible value min(Omega, 1 - Omega);
        scalars ``here_exponent`` and ``here_share`` (NaN outside).
    """
    exponents, shares = np.linspace(0, 4, MAP_STEPS), np.linspace(0.03, 0.97, MAP_STEPS)
    noise = params.noise_variance_target
    ratio, floor = gains(exponents, shares, MAP_FEATURES, params.signal_exponent, noise)
    power = params.spectrum == "power" and params.eigenvalues is None
    share = params.n_samples / problem.n_features
    return Dataset(
        {
            "ratio": (("exponent", "share"), ratio, {"long_name": "risk of best teacher's student over true labels'"}),
            "floor": (("exponent", "share"), floor),
            "here_exponent": ((), params.spectrum_exponent if power and share < 1 else np.nan),
            "here_share": ((), share if power and share < 1 else np.nan),
        },
        coords={"exponent": exponents, "share": shares},
    )


def teacher_sizes(problem: Regression, params: Params) -> Integers:
    """Sample sizes of the teacher that are measured: evenly in the logarithm, away from its peak m = p."""
    size, peak = problem.n_features, features_seen(params, problem)
    even = np.geomspace(5, 20 * size, MEASURED_TEACHERS).round().astype(np.int64)
    return even[np.abs(even - peak) > 2 * PEAK * peak]


def two_stage(params: Params, problem: Regression, measured: Dataset | None = None) -> Dataset:
    """Risks of a fitted teacher and of its student against the teacher's sample size m.

    ``measured`` is ``simulation.learning_curves.measured_teachers``; the result has its mean and mean -+ 2 SE as
    ``measured`` (statistic, role, m_measured). Noise and basis are those of the claim about fitted teachers.

    Returns:
        ``student``, ``teacher`` (m; NaN next to the teacher's peak m = p), scalars ``strong`` and ``optimal`` (students
        of true labels and of the best teacher), ``peak`` (the teacher's p), ``here`` (the sliders' m).

    Raises:
        ParameterError: n reaches p without ridge: the student has nothing to interpolate with.
    """
    size, peak = float(problem.n_features), features_seen(params, problem)
    m = np.geomspace(5.0, 20 * size, ROTATED_TEACHERS if problem.teacher_basis is not None else TEACHERS)
    m = np.unique(np.concatenate([m, [peak * (1 - PEAK), peak * (1 + PEAK)]]))
    curve = two_stage_curve(params, problem, m)
    near = np.abs(m - peak) < 0.999 * PEAK * peak
    data: dict[str, object] = {
        "student": ("m", np.where(near, np.nan, curve.student), {"long_name": "excess risk"}),
        "teacher": ("m", np.where(near, np.nan, curve.teacher), {"long_name": "excess risk"}),
        "strong": ((), curve.strong),
        "optimal": ((), curve.optimal),
        "peak": ((), peak),
        "here": ((), params.n_teacher_samples),
    }
    coords: dict[str, object] = {"m": m}
    if measured is not None and "risk" in measured:
        found = measured.sel(arm=["student", "teacher"]).transpose("arm", "m_measured")
        data["measured"] = (("statistic", "role", "m_measured"), band(found.risk.values, found.risk_se.values))
        coords |= {"role": found["arm"].values, "m_measured": found["m_measured"].values}
        coords["statistic"] = ["mean", "low", "high"]
    return Dataset(data, coords=coords)


def exponents(params: Params, problem: Regression) -> Dataset:
    """Local slopes of risk against n with infinitely many features: a power law beside an exponential spectrum.

    Returns:
        ``slope`` (spectrum, arm, n), ``limit`` (spectrum, arm).

    Raises:
        BenchError: the trace is infinite.
    """
    alpha, beta, rate = params.spectrum_exponent, params.signal_exponent, params.rate
    if alpha <= SMALLEST_SPECTRUM_EXPONENT:
        raise BenchError(f"With infinitely many features a spectrum exponent of {alpha:g} has an infinite trace.")
    n = np.geomspace(30, 1e6, 32)
    slopes = [local_slopes("power", alpha, beta, n), local_slopes("exponential", rate, beta, n)]
    limits = [limit_slopes("power", alpha, beta), limit_slopes("exponential", rate, beta)]
    return Dataset(
        {
            "slope": (("spectrum", "arm", "n"), np.array([[found[arm] for arm in ARMS] for found in slopes])),
            "limit": (("spectrum", "arm"), np.array([list(found.values()) for found in limits])),
        },
        coords={"spectrum": ["power", "exponential"], "arm": list(ARMS), "n": n},
        attrs={"alpha": alpha, "beta": beta, "rate": rate},
    )


def paper_table(stop: Stop) -> Dataset:
    """The setting of the paper's first figure (p = 500, lambda_i = i^-2, lambda_i beta_i^2 = i^-1.5) at seven n.

    Returns:
        ``overfitting``, ``amplified``, ``kept`` (n), ``predicted``, ``measured`` and ``standard_error`` (arm, n).

    Raises:
        Cancelled: ``stop()`` turned true.
    """
    rows: list[tuple[float, int, int]] = []
    measured, errors = np.zeros((2, len(ARMS), len(PAPER_SIZES)))
    plain = Params().model_copy(update=PAPER)
    problem = draw(plain, 0)
    for column, n in enumerate(PAPER_SIZES):
        params = plain.model_copy(update={"n_samples": n})
        found = stats(problem.eigenvalues, n)
        rows.append((found.overfitting, amplified(found), optimal_mask(found)))
        params = params.model_copy(update={"replicates": block_trials(params, problem, n)})
        raw = trials_of(students, params, problem, SEEDS, stop)
        found = mean_of(pooled(raw["constant"]))
        measured[:, column], errors[:, column] = found.mean, found.error
    predicted = arm_curves(plain, problem, np.array(PAPER_SIZES, dtype=np.float64), list(ARMS))
    overfitting, count, kept = np.array(rows).T
    return Dataset(
        {
            "overfitting": ("n", overfitting),
            "amplified": ("n", count.astype(np.int64)),
            "kept": ("n", kept.astype(np.int64)),
            "predicted": (("arm", "n"), predicted),
            "measured": (("arm", "n"), measured),
            "standard_error": (("arm", "n"), errors),
        },
        coords={"n": list(PAPER_SIZES), "arm": list(ARMS)},
    )


def _allowed(params: Params, problem: Regression, sizes: Floats, arms: list[str]) -> Floats:
    """Relative finite-size error that the verdict allows (size, arm); a tenth for rows of real features."""
    if problem.features is not None:
        return np.full((len(sizes), len(arms)), 0.1)
    at = [allowances(params.model_copy(update={"n_samples": int(n)}), problem)[: len(arms)] for n in sizes]
    return np.array(at)


def _free(problem: Regression, params: Params, sizes: Floats) -> Floats:
    return learning_curves(problem.eigenvalues, problem.signal, sizes, 0.0, params.ridge).free_samples
