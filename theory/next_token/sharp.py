"""What training has reached after finitely many steps: logits, cosine, loss and finite part, with their tolerances.

Time enters as ``log_time = log(step size * steps)``; the laws are ours, sharpening the limits of arXiv 2403.08081.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import lambertw

from theory.core.errors import ParameterError
from theory.next_token.validation import positive

if TYPE_CHECKING:
    from theory.next_token.structure import Solution

Floats = npt.NDArray[np.float64]


def predicted_logits(solution: Solution, log_time: float | Floats, initial: Floats | None = None) -> Floats:
    """Trained logits at finite time: ``f + log_time * z + z-tilde``, and the initial logits where data say nothing.

    Exact up to o(1) in columns where :attr:`Solution.connected` and not :attr:`Solution.degenerate`. Gradient descent
    conserves the sum of a column, so only the mean of ``initial`` survives on seen tokens.

    Args:
        log_time: a number or an array of any shape.
        initial: (K, K) initial logits [token, last]; zero when left out.

    Returns:
        (..., K, K) logits [token, last], one matrix per log-time.
    """
    time = np.asarray(log_time, dtype=np.float64)[..., None, None]
    fixed = solution.fin_scores + solution.offsets
    if initial is not None:
        fixed = fixed + resting_logits(solution, initial)
    return fixed + time * solution.levels


def resting_logits(solution: Solution, initial: Floats) -> Floats:
    """(K, K) the part of the initial logits that no gradient of the problem's loss can move.

    Raises:
        ParameterError: the shape is not (K, K).
    """
    size = solution.prompts.vocab_size
    if initial.shape != (size, size):
        raise ParameterError("initial", f"array of shape {initial.shape}", f"an array of shape ({size}, {size})")
    if solution.geometry is not None:
        return solution.geometry.at_rest(initial)
    seen = solution.seen
    means = (initial * seen).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return np.where(seen, means, initial)


def weight_norm(solution: Solution, logits: Floats) -> float:
    """Frobenius norm of the weights W with these logits ``E W E^T``."""
    return float(np.linalg.norm(logits)) if solution.geometry is None else solution.geometry.norm(logits)


def predicted_gaps(solution: Solution, log_time: float | Floats) -> Floats:
    """(..., s) predicted difference of the component means across each support edge: ``log_time + log(a / lambda)``."""
    graph, found = solution.condensation, solution.offset_solution
    intercept = np.log(graph.weights[found.support] / found.multipliers[found.support])
    return np.asarray(log_time, dtype=np.float64)[..., None] + intercept


def amplitude(solution: Solution) -> float:
    """``max lambda_e / a_e`` over edges with positive multiplier: the time at which the slowest edge separates."""
    found = solution.offset_solution
    return float((found.multipliers[found.support] / solution.condensation.weights[found.support]).max(initial=0.0))


def predicted_cosine(solution: Solution, log_time: float | Floats, with_finite: bool = False) -> Floats:
    """(...,) cosine between W_svm and the weights at finite time, zero initial weights.

    The weights are projected off the finite subspace unless ``with_finite``. NaN when W_svm is zero.
    """
    time = np.asarray(log_time, dtype=np.float64)
    svm, offset = solution.weights_svm, solution.weights_offset
    along = time * (svm @ svm) + offset @ svm
    squared = time**2 * (svm @ svm) + 2 * time * (offset @ svm) + offset @ offset
    if with_finite:
        squared = squared + weight_norm(solution, solution.fin_scores) ** 2
    if solution.svm.norm_squared == 0:
        return np.full(time.shape, np.nan)
    return np.asarray(along / np.sqrt((svm @ svm) * squared))


def predicted_norm(solution: Solution, log_time: float | Floats) -> Floats:
    """(...,) Frobenius norm of the weights, projected off the finite subspace, zero initial weights."""
    time = np.asarray(log_time, dtype=np.float64)
    return np.linalg.norm(time[..., None] * solution.weights_svm + solution.weights_offset, axis=-1)


def predicted_loss(solution: Solution, log_time: float | Floats) -> Floats:
    """(...,) training loss ``L* + ||W_svm||_F^2 / (step size * steps)``: the loss gap has a universal constant."""
    time = np.asarray(log_time, dtype=np.float64)
    return solution.irreducible_loss + solution.svm.norm_squared * np.exp(-time)


def loss_gap_tolerance(solution: Solution, log_time: float | Floats) -> Floats:
    """(...,) relative error of the loss-gap constant at finite time: ``(A / (step size * steps))^(1/3)``."""
    return (amplitude(solution) * np.exp(-np.asarray(log_time, dtype=np.float64))) ** (1 / 3)


def relaxation(solution: Solution, log_time: float) -> float:
    """How far the logits still are from their law: ``(A / (step size * steps))^min(mu, 1/3)``, slowest mu."""
    columns = solution.condensation.columns
    power = min(float(solution.exponent[columns].min(initial=1.0)), 1 / 3)
    return float((amplitude(solution) * np.exp(-log_time)) ** power)


def support_rows(solution: Solution) -> Floats:
    """(s, dim) gradient of the difference across each support edge, in the coordinates of ``weights_svm``."""
    graph, support = solution.condensation, solution.offset_solution.support
    if solution.geometry is not None:
        return solution.geometry.edges[support]
    rows = np.zeros((int(support.sum()), graph.n_components))
    upper, lower = graph.edges[support].T
    rows[np.arange(len(rows)), upper] = 1 / np.sqrt(graph.size[upper])
    rows[np.arange(len(rows)), lower] = -1 / np.sqrt(graph.size[lower])
    return rows


def cosine_sensitivity(solution: Solution) -> float:
    """Relative change of one minus the cosine per unit error of the support gaps; infinity when the cosine is one.

    One minus the cosine is quadratic in the offset across W_svm, so an error of the weights changes it by twice their
    inner product over the square. Support edges span both; with the multipliers k of the offset across W_svm the inner
    product is ``k . error``, at most the sum of ``|k|`` times the largest error (ours).
    """
    svm, offset = solution.weights_svm, solution.weights_offset
    across = offset - svm * (svm @ offset) / max(svm @ svm, 1e-300)
    if np.linalg.norm(across) <= 1e-9 * (1.0 + np.linalg.norm(offset)):
        return float("inf")
    multipliers = np.linalg.lstsq(support_rows(solution).T, across, rcond=None)[0]
    return float(2 * np.abs(multipliers).sum() / (across @ across))


def finite_part_tolerance(solution: Solution, log_time: float) -> float:
    """Frobenius error of the finite part: 1.5 times the residual gradient over the smallest curvature."""
    if not np.isfinite(solution.curvature):
        return 0.0
    return 1.5 * solution.svm.norm_squared**0.5 * float(np.exp(-log_time)) / solution.curvature


def path_radius(penalty: float | Floats) -> Floats:
    """(...,) length R along W_svm of the ridge solution: ``R + log R = log(1 / penalty)``.

    >>> path_radius(1e-14).round(2).tolist()
    28.87
    """
    positive("penalty", penalty)
    inverse = 1.0 / np.asarray(penalty, dtype=np.complex128)
    return np.asarray(np.real(lambertw(inverse)))  # pyright: ignore[reportArgumentType]  (the stub knows numbers only)


def predicted_path(solution: Solution, penalty: float | Floats) -> Floats:
    """(..., K, K) logits of the minimiser of ``L + penalty / 2 ||W||^2``: the trajectory with R for log-time."""
    return predicted_logits(solution, path_radius(penalty))


def path_cosine_tolerance(solution: Solution, penalty: float) -> float:
    """Bound on one minus the cosine between the ridge solution and W_svm."""
    if solution.svm.norm_squared == 0:
        return 0.0
    offset = float(np.linalg.norm(solution.weights_offset))
    return (offset + 1.0) ** 2 / (float(path_radius(penalty)) ** 2 * solution.svm.norm_squared)


def path_finite_tolerance(solution: Solution, penalty: float) -> float:
    """Frobenius error of the finite part of the ridge solution, not below the rounding of the solver."""
    if not np.isfinite(solution.curvature):
        return 1e-11
    reach = float(path_radius(penalty)) * solution.svm.norm_squared**0.5 + weight_norm(solution, solution.fin_scores)
    return max(1.5 * penalty * reach / solution.curvature, 1e-11)


def path_gap_error(solution: Solution, penalty: float | Floats) -> Floats:
    """(...,) leading error of the support gaps on the ridge path, ``max |multiplier of W-tilde / of W_svm| / R``.

    Stationarity gives each support edge the multiplier ``R lambda_e + lambda-tilde_e``; the law keeps the first term.
    """
    found = solution.offset_solution
    offset = np.linalg.lstsq(support_rows(solution).T, solution.weights_offset, rcond=None)[0]
    ratio = np.abs(offset / found.multipliers[found.support]).max(initial=0.0) / path_radius(penalty)
    return ratio / np.maximum(1.0 - ratio, 0.1)
