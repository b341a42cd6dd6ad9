"""What the figures of the sections *Test* and *Why* draw: whole learning curves, gains, fitted teachers, exponents."""

from __future__ import annotations

import math

import numpy as np
from xarray import Dataset

from theory.core.errors import BenchError
from theory.core.vocabulary import Stop
from theory.distillation.claims.students import allowances
from theory.distillation.curves import gain_map as gains
from theory.distillation.curves import learning_curves, local_slopes, tuned_ridge
from theory.distillation.data import draw
from theory.distillation.effective_ridge import stats
from theory.distillation.experiments.students import students
from theory.distillation.fitted_teachers import two_stage as fitted
from theory.distillation.fitted_teachers import two_stage_dense
from theory.distillation.parameters import Params
from theory.distillation.power_law import SMALLEST_SPECTRUM_EXPONENT, power_law_limits
from theory.distillation.problem import Floats, Integers, Regression
from theory.distillation.simulation.learning_curves import SEEDS, block_trials, fetch
from theory.distillation.student_risk import amplified, optimal_mask
from theory.distillation.views.talk import ARMS, arm_curves, curves, risks

MAP_FEATURES, MAP_STEPS = 200, 33
TEACHERS, DENSE_TEACHERS, LARGEST_DENSE = 90, 15, 400
"""Sample sizes of the teacher along a curve; rotated covariances need an eigenproblem at each."""
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
    known = risks(params, problem, fits.sel(arm=arms))
    count = np.isfinite(known).any(axis=2).sum(axis=1)
    mean, deviation = np.nanmean(known, axis=1), np.nanstd(known, axis=1, ddof=1)
    predicted = arm_curves(params, problem, sizes, arms).T
    tolerated = (
        4 * deviation / np.sqrt(count)[:, None] + _allowed(params, problem, fits["size"].values, arms) * predicted
    )
    free = _free(problem, params, sizes)
    # One number for each arm: relative scatter times sqrt(n_free) hardly depends on n.
    scale = np.sqrt(np.mean((deviation / predicted) ** 2 * free[:, None], axis=0))
    here = {arm: row for row, arm in enumerate(str(name) for name in data.arm.values)}
    residual = np.full((len(here), len(sizes)), np.nan)
    spread = np.full((len(here), len(n)), np.nan)
    slope = np.full((2, len(here)), np.nan)
    along = _free(problem, params, n)
    for column, arm in enumerate(arms):
        row = here[arm]
        residual[row] = (mean[:, column] - predicted[:, column]) / tolerated[:, column]
        spread[row] = scale[column] / np.sqrt(along)
        if len(sizes) > 1:
            slope[0, row], slope[1, row] = _slope(sizes, predicted[:, column]), _slope(sizes, mean[:, column])
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
    ratio = gains(exponents, shares, MAP_FEATURES, params.signal_exponent, noise)
    index = np.arange(1, MAP_FEATURES + 1, dtype=np.float64)
    overfitting = np.array(
        [learning_curves(index**-a, np.ones(MAP_FEATURES), shares * MAP_FEATURES).overfitting for a in exponents]
    )
    power = params.spectrum == "power" and params.eigenvalues is None
    share = params.n_samples / problem.n_features
    return Dataset(
        {
            "ratio": (("exponent", "share"), ratio, {"long_name": "risk of best teacher's student over true labels'"}),
            "floor": (("exponent", "share"), np.minimum(overfitting, 1 - overfitting)),
            "here_exponent": ((), params.spectrum_exponent if power and share < 1 else np.nan),
            "here_share": ((), share if power and share < 1 else np.nan),
        },
        coords={"exponent": exponents, "share": shares},
    )


def teacher_sizes(problem: Regression, params: Params) -> Integers:
    """Sample sizes of the teacher that are measured: evenly in the logarithm, away from its peak m = p."""
    size, peak = problem.n_features, _peak(problem, params)
    even = np.geomspace(5, 20 * size, MEASURED_TEACHERS).round().astype(np.int64)
    return even[np.abs(even - peak) > 2 * PEAK * peak]


def two_stage(params: Params, problem: Regression, measured: Dataset | None = None) -> Dataset:
    """Risks of a fitted teacher and of its student against the teacher's sample size m.

    ``measured`` is ``simulation.learning_curves.measured_teachers``; the result has its mean and mean -+ 2 SE as
    ``measured`` (statistic, role, m_measured).

    Returns:
        ``student``, ``teacher`` (m; NaN next to the teacher's peak m = p), scalars ``strong`` and ``optimal`` (students
        of true labels and of the best teacher), ``peak`` (the teacher's p), ``here`` (the sliders' m).

    Raises:
        BenchError: rotated covariances with too many features to wait for.
    """
    size = problem.n_features
    rotated = problem.teacher_basis is not None
    if rotated and size > LARGEST_DENSE:
        raise BenchError(f"A curve for rotated covariances needs at most {LARGEST_DENSE} features, not {size:,}.")
    if params.ridge == 0 and params.n_samples >= size:
        raise BenchError(
            f"n = {params.n_samples} is not below p = {size}: the student has nothing to interpolate with."
        )
    peak = _peak(problem, params)
    low, high = 5.0, 20.0 * size
    m = np.geomspace(low, high, DENSE_TEACHERS if rotated else TEACHERS)
    m = np.unique(np.concatenate([m, [peak * (1 - PEAK), peak * (1 + PEAK)]]))
    pairs = np.array([_pair(params, problem, float(size)) for size in m])
    pairs[np.abs(m - peak) < 0.999 * PEAK * peak] = np.nan
    here = np.array([float(params.n_samples)])
    reference = arm_curves(params, problem, here, ["strong", "optimal"])[:, 0]
    data: dict[str, object] = {
        "student": ("m", pairs[:, 0], {"long_name": "excess risk"}),
        "teacher": ("m", pairs[:, 1], {"long_name": "excess risk"}),
        "strong": ((), reference[0]),
        "optimal": ((), reference[1]),
        "peak": ((), peak),
        "here": ((), params.n_teacher_samples),
    }
    coords: dict[str, object] = {"m": m}
    if measured is not None and "measured" in measured:
        risk = measured.measured.values
        mean = risk.mean(axis=2)
        spread = 2 * risk.std(axis=2, ddof=1) / math.sqrt(risk.shape[2]) if risk.shape[2] > 1 else 0 * mean
        steps = np.stack([mean, np.maximum(mean - spread, 1e-3 * mean), mean + spread])
        data["measured"] = (("statistic", "role", "m_measured"), steps)
        coords |= {name: measured[name].values for name in ("role", "m_measured")}
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
    power = -power_law_limits(alpha, beta).exponent
    limits = [[power, power, power], [2 - beta, 1 - beta, 1 - beta]]
    return Dataset(
        {
            "slope": (("spectrum", "arm", "n"), np.array([[found[arm] for arm in ARMS] for found in slopes])),
            "limit": (("spectrum", "arm"), np.array(limits)),
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
        raw = fetch(students, params, problem, SEEDS, stop)
        values = raw.constant.transpose("seed", "replicate", "arm").values.reshape(-1, len(ARMS))
        measured[:, column] = values.mean(axis=0)
        errors[:, column] = values.std(axis=0, ddof=1) / math.sqrt(len(values))
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


def _peak(problem: Regression, params: Params) -> int:
    """Where a fitted teacher interpolates just barely: the number of features that it sees."""
    size = problem.n_features
    return size if params.teacher_features is None else min(params.teacher_features, size)


def _pair(params: Params, problem: Regression, m: float) -> tuple[float, float]:
    """Risks of student and teacher with m samples for the teacher."""
    lam, taught, truth = problem.eigenvalues, problem.teacher_eigenvalues, problem.signal
    noise, own = params.noise_variance_target, params.noise_variance_teacher
    if problem.teacher_basis is not None:
        covariance = (problem.teacher_basis * taught) @ problem.teacher_basis.T
        return two_stage_dense(np.diag(lam), covariance, truth, params.n_samples, m, noise, own)
    seen = None if params.teacher_features is None else min(params.teacher_features, problem.n_features)
    student, teacher = fitted(
        lam, taught, truth, params.n_samples, m, noise, own, ridge=params.ridge, teacher_features=seen
    )
    return student.risk, teacher.risk


def _allowed(params: Params, problem: Regression, sizes: Floats, arms: list[str]) -> Floats:
    """Relative finite-size error that the verdict allows (size, arm); a tenth for rows of real features."""
    if problem.features is not None:
        return np.full((len(sizes), len(arms)), 0.1)
    at = [allowances(params.model_copy(update={"n_samples": int(n)}), problem)[: len(arms)] for n in sizes]
    return np.array(at)


def _free(problem: Regression, params: Params, sizes: Floats) -> Floats:
    return learning_curves(problem.eigenvalues, problem.signal, sizes, 0.0, params.ridge).free_samples


def _slope(sizes: Floats, values: Floats) -> float:
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])
