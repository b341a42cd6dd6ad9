"""How training approaches its limit, over instances: mean and 10-90 % band of a few numbers at each checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.core.errors import DataError
from theory.next_token.sharp import loss_gap_tolerance, predicted_cosine, predicted_norm, weight_norm
from theory.next_token.structure import Solution
from theory.next_token.subspace import finite_projection

Floats = npt.NDArray[np.float64]

LATE = 2.0
"""Log-time from which the norm is compared with its leading term: before, log time is no measure of growth."""
STATISTICS = ("mean", "low", "high")
LOOK_BACK = 3.0
"""The displacement at step t is taken from the latest checkpoint at or before t / 3."""


def correlation(solutions: Sequence[Solution], raws: Sequence[Dataset]) -> Dataset:
    """One minus the cosine with W_svm: of the weights off the finite subspace, of their displacement, and as predicted.

    Returns:
        ``angle``, ``displacement`` (statistic, step), ``predicted`` (step: mean over instances).

    Raises:
        DataError: ``nothing_to_show`` when no run was recorded or every W_svm is zero.
    """
    pairs, steps = _aligned(solutions, raws)
    back = [int(early) - 1 for early in np.searchsorted(steps, steps / LOOK_BACK, side="right")]
    angle: list[list[float]] = []
    displacement: list[list[float]] = []
    predicted: list[Floats] = []
    for solution, raw in pairs:
        weights = _off_finite(solution, raw)
        target = solution.levels
        moved = [w - weights[early] if early >= 0 else np.zeros_like(w) for w, early in zip(weights, back, strict=True)]
        angle.append([_angle(solution, w, target) for w in weights])
        displacement.append([_angle(solution, w, target) for w in moved])
        predicted.append(1.0 - predicted_cosine(solution, raw.log_time.values))
    data = {
        "angle": (("statistic", "step"), _band(np.array(angle)), {"long_name": "1 - cosine of the weights"}),
        "displacement": (("statistic", "step"), _band(np.array(displacement)), {"long_name": "1 - cosine"}),
        "predicted": ("step", np.mean(predicted, axis=0), {"long_name": "predicted 1 - cosine"}),
    }
    return _dataset(data, steps, len(pairs))


def finite_part(solutions: Sequence[Solution], raws: Sequence[Dataset]) -> Dataset:
    """Distance of the finite part from W_fin with its bound, and the norm over its leading term.

    Instances without cycles have no finite part: they count for the norm only. The bound is
    ``||W_svm|| / (h eta t)``, h the smallest curvature of the restricted loss.

    Returns:
        ``error``, ``norm_ratio`` (statistic, step), ``bound``, ``predicted_norm_ratio``, ``eta_t`` (step).

    Raises:
        DataError: ``nothing_to_show`` when no run was recorded or every W_svm is zero.
    """
    pairs, steps = _aligned(solutions, raws)
    error: list[list[float]] = []
    bound: list[Floats] = []
    ratio: list[Floats] = []
    expected: list[Floats] = []
    eta = float(np.exp(np.mean([np.log(raw.attrs["step_size"]) for _, raw in pairs])))
    for solution, raw in pairs:
        time = np.asarray(raw.log_time.values, dtype=np.float64)
        leading = np.where(time > LATE, time, np.nan) * solution.svm.norm_squared**0.5
        ratio.append([weight_norm(solution, w) for w in _off_finite(solution, raw)] / leading)
        expected.append(predicted_norm(solution, time) / leading)
        if solution.acyclic:
            continue
        parts = finite_projection(solution.prompts, raw.logits.values) - solution.fin_scores
        error.append([weight_norm(solution, part) for part in parts])
        bound.append(solution.svm.norm_squared**0.5 / solution.curvature * np.exp(-time))
    empty = np.full((len(STATISTICS), len(steps)), np.nan)
    data = {
        "error": (("statistic", "step"), _band(np.array(error)) if error else empty),
        "bound": ("step", np.mean(bound, axis=0) if bound else empty[0]),
        "norm_ratio": (("statistic", "step"), _band(np.array(ratio))),
        "predicted_norm_ratio": ("step", np.mean(expected, axis=0)),
        "eta_t": ("step", eta * steps, {"long_name": "step size times steps"}),
    }
    return _dataset(data, steps, len(pairs))


def loss_gap(solutions: Sequence[Solution], raws: Sequence[Dataset]) -> Dataset:
    """``eta t (L - L*)`` at each checkpoint; for several instances each is divided by its own ``||W_svm||^2``.

    Returns:
        ``gap`` (statistic, step), ``constant`` (scalar: what theory predicts), ``allowance`` (step, relative).
        Attribute ``relative`` is 1 when the gaps were divided.

    Raises:
        DataError: ``nothing_to_show`` when no run was recorded or every W_svm is zero.
    """
    pairs, steps = _aligned(solutions, raws)
    relative = len(pairs) > 1
    gaps: list[Floats] = []
    allowances: list[Floats] = []
    for solution, raw in pairs:
        scale = solution.svm.norm_squared if relative else 1.0
        gaps.append(np.exp(raw.log_time.values) * (raw.loss.values - solution.irreducible_loss) / scale)
        allowances.append(loss_gap_tolerance(solution, raw.log_time.values))
    data = {
        "gap": (("statistic", "step"), _band(np.array(gaps)), {"long_name": "loss gap times step size times steps"}),
        "constant": ((), 1.0 if relative else pairs[0][0].svm.norm_squared),
        "allowance": ("step", np.mean(allowances, axis=0)),
    }
    return _dataset(data, steps, len(pairs)).assign_attrs(relative=int(relative), instances=len(pairs))


def _aligned(
    solutions: Sequence[Solution], raws: Sequence[Dataset]
) -> tuple[list[tuple[Solution, Dataset]], npt.NDArray[np.int64]]:
    usable = [
        (solution, raw)
        for solution, raw in zip(solutions, raws, strict=True)
        if "not_run" not in raw.attrs and raw.sizes.get("step", 0) and solution.svm.norm_squared > 0
    ]
    if not usable:
        raise DataError("nothing_to_show", "no recorded run has a priority between components: there is no direction.")
    steps = usable[0][1].step.values
    for _, raw in usable[1:]:
        steps = np.intersect1d(steps, raw.step.values)
    return [(solution, raw.sel(step=steps)) for solution, raw in usable], steps


def _dataset(data: Mapping[str, object], steps: npt.NDArray[np.int64], instances: int) -> Dataset:
    return Dataset(data, coords={"step": steps, "statistic": list(STATISTICS)}, attrs={"instances": instances})


def _off_finite(solution: Solution, raw: Dataset) -> list[Floats]:
    return list(raw.logits.values - finite_projection(solution.prompts, raw.logits.values))


def _angle(solution: Solution, first: Floats, second: Floats) -> float:
    # Half the squared distance of the unit vectors: 1 - <a, b> would lose all digits below 1e-16.
    norms = weight_norm(solution, first), weight_norm(solution, second)
    if min(norms) == 0:
        return float("nan")
    return 0.5 * weight_norm(solution, first / norms[0] - second / norms[1]) ** 2


def _band(values: Floats) -> Floats:
    """(3, step) mean, 10 % and 90 % quantile over instances (first axis), instances without a number left out."""
    band = np.full((3, values.shape[1]), np.nan)
    for at, column in enumerate(values.T):
        known = column[np.isfinite(column)]
        if len(known):
            band[:, at] = known.mean(), *np.quantile(known, [0.1, 0.9])
    return band
