"""Low-rank attention and LoRA: which directions a rank budget should be spent on (arXiv 2407.10005)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from theory.core.errors import ParameterError
from theory.icl.inputs import checked
from theory.icl.optimum import independent_optimum, optimal_preconditioner, second_moment, step_risk
from theory.icl.problem import Floats, Integers, Regression, covariances


def low_rank_risks(eigenvalues: npt.ArrayLike, n: float, sigma2: float) -> Floats:
    """Smallest risk of a rank-r preconditioner for r = 0..d, shape (d + 1,): the top r gains are kept.

    >>> low_rank_risks([1.0, 1.0], 3, 0.0).round(6).tolist()
    [2.0, 1.5, 1.0]
    """
    values = np.asarray(eigenvalues, dtype=np.float64)
    gain = np.sort(independent_optimum(values, n, sigma2).gain)[::-1]
    return float(values.sum()) + sigma2 - np.concatenate([[0.0], np.cumsum(gain)])


def lora_gains(old: npt.ArrayLike, new: npt.ArrayLike, n: float, sigma2: float, n_new: float | None = None) -> Floats:
    """What adapting each shared eigen-direction gains, shape (d,): ``n ((n+1) lambda + M) (w_new - w_old)^2``.

    ``old`` and ``new`` (d,) are eigenvalues in the same directions; each task has its own label power M. The context
    length of the new task, ``n_new``, may differ.
    """
    length = n if n_new is None else float(checked("n_new", n_new, 1))
    after = np.asarray(new, dtype=np.float64)
    power = float(after.sum()) + sigma2
    change = independent_optimum(after, length, sigma2).weights - independent_optimum(old, n, sigma2).weights
    return length * ((length + 1) * after + power) * change**2


def lora_risks(old: npt.ArrayLike, new: npt.ArrayLike, n: float, sigma2: float) -> tuple[Floats, Integers]:
    """Risk on the new task after a best update of rank 0..d, shape (d + 1,), and the directions in order of gain.

    ``old`` and ``new`` are eigenvalues (d,) in shared directions, or whitened task covariances (d, d), which need not
    commute; directions are then singular directions and their order is 0..d-1.
    """
    old, new = np.asarray(old, dtype=np.float64), np.asarray(new, dtype=np.float64)
    if old.shape != new.shape:
        raise ParameterError("new", new.shape, f"the shape {old.shape} of the old tasks")
    if old.ndim == 1:
        gains = lora_gains(old, new, n, sigma2)
        order = np.argsort(-gains, kind="stable")
        lowest = float(independent_optimum(new, n, sigma2).risk)
        gains = gains[order]
    else:
        singular, lowest = lora_singular_values(covariances(np.eye(len(new)), old, new), n, sigma2)
        gains, order = singular**2, np.arange(len(new))
    return lowest + left_over(gains), order.astype(np.int64)


def left_over(gains: Floats) -> Floats:
    """What is left to gain after the first 0, 1, ..., d of these gains (d,), shape (d + 1,).

    >>> left_over(np.array([2.0, 1.0])).tolist()
    [3.0, 1.0, 0.0]
    """
    return np.concatenate([np.cumsum(gains[::-1])[::-1], [0.0]])


def lora_singular_values(problem: Regression, n: float, sigma2: float) -> tuple[Floats, float]:
    """Singular values (d,) of ``(W_new - W_old) S_new^(1/2)`` in whitened weights, descending, and the new optimum.

    The best update of rank r leaves the sum of the squares of all but the r largest (Eckart-Young).
    """
    _, singular, _, lowest = lora_directions(problem, n, sigma2)
    return singular, lowest


def lora_directions(problem: Regression, n: float, sigma2: float) -> tuple[Floats, Floats, Floats, float]:
    """Query directions (d, d), singular values (d,), label directions (d, d), and the new optimum.

    In whitened weights ``L_new(W_old + D) - L_new* = |(W_new - W_old - D) S_new^(1/2)|^2``. The best D of rank r in raw
    features, is the sum over the first r of ``singular_k query_k label_k'``; directions are columns.
    """
    fresh = replace(problem, task_covariance=problem.new_task_covariance)
    root, unroot = problem.whitening
    best = optimal_preconditioner(fresh, n, sigma2)
    change = root @ (best - optimal_preconditioner(problem, n, sigma2)) @ root
    powers, basis = np.linalg.eigh(second_moment(fresh, n, sigma2))
    sizes = np.sqrt(np.maximum(powers, 0.0))
    left, singular, right = np.linalg.svd(change @ (basis * sizes) @ basis.T)
    # A direction without power neither costs nor gains: the update leaves it alone.
    inverse = np.divide(1.0, sizes, out=np.zeros_like(sizes), where=sizes > 0)
    readers = unroot @ (basis * inverse) @ basis.T @ right.T
    return unroot @ left, singular.astype(np.float64), readers, float(step_risk(best, fresh, n, sigma2))


def length_risk(
    eigenvalues: npt.ArrayLike, n_train: float, n_test: npt.ArrayLike, sigma2: float, *, normalised: bool = False
) -> Floats:
    """Risk at test length ``n_test`` (...,) of the model that is optimal at ``n_train``.

    ``normalised`` divides by the actual context length; without it the risk is quadratic in the test length.

    >>> float(length_risk([1.0, 1.0], 3, 3, 0.0).round(6))
    1.0
    """
    values = np.asarray(eigenvalues, dtype=np.float64)
    length = checked("n_test", n_test, 1)[..., None]
    weights = independent_optimum(values, n_train, sigma2).weights
    weights = weights * n_train / length if normalised else weights
    power = float(values.sum()) + sigma2
    change = -2 * length * weights * values + length * weights**2 * ((length + 1) * values + power)
    return power + change.sum(axis=-1)


def best_test_length(dim: int, n_train: float, sigma2: float) -> float:
    """Isotropic tasks: the best test length is slightly longer than the training length, ``n + (1 + M) / 2``."""
    return float(checked("n_train", n_train, 1) + (1 + checked("dim", dim, 1) + checked("sigma2", sigma2, 0)) / 2)
