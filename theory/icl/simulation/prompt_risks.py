"""Risks of predictors on sampled prompts, and the best predictors that the prompts themselves show.

Independent examples are kept as Gram matrices G = X'X: task, label noise and query are averaged over given X, which
takes ten times fewer prompts. No closed form of the theory enters: moments are means over prompts.
"""

from __future__ import annotations

import numpy as np
from xarray import DataArray, Dataset

from theory.core.vocabulary import Check
from theory.icl.problem import Floats
from theory.icl.simulation.prompts import root_of

ROUNDS = 50
"""Alternating least squares is a power iteration: that many rounds settle all but near ties, which cost no risk."""


def pooled(values: DataArray) -> Floats:
    """A variable with all prompts of all seeds along the first axis."""
    found = values.transpose("seed", "replicate", ...).values
    return found.reshape(-1, *found.shape[2:]).astype(np.float64)


def gram_risk(gram: Floats, step: Floats, features: Floats, tasks: Floats, noise: float) -> Floats:
    """Risk (B,) of ``x' W X'y`` given the examples' Gram matrices (B, d, d); task, noise and query are averaged over.

    ``features`` and ``tasks`` (d, d) are second moments; ``step`` is W (d, d).
    """
    root, lower = root_of(tasks), np.linalg.cholesky(features)
    left = lower.T @ (root - (step @ gram) @ root)
    spread = step.T @ features @ step
    return np.einsum("bij,bij->b", left, left) + noise * (1 + np.einsum("bij,ij->b", gram, spread))


def gram_moments(gram: Floats, tasks: Floats, noise: float) -> tuple[Floats, Floats]:
    """Second moment of X'y (d, d) and its cross moment E beta y'X (d, d), averaged over the given prompts."""
    square = np.einsum("bij,jk,bkl->il", gram, tasks, gram, optimize=True) / len(gram)
    mean = gram.mean(axis=0)
    return square + noise * mean, tasks @ mean


def least_squares(moment: Floats, cross: Floats) -> Floats:
    """The preconditioner W (d, d) with the smallest risk on the prompts that the moments were taken from."""
    return cross @ np.linalg.pinv(moment, hermitian=True)


def best_of_rank(moment: Floats, cross: Floats, features: Floats, rank: int, starts: int = 2) -> Floats:
    """A matrix (d, d) of rank ``rank`` with the smallest risk on the prompts, by alternating least squares.

    Each factor in turn is the exact minimum given the other; the better of several random starts.
    """
    dim = len(moment)
    if rank == 0:
        return np.zeros((dim, dim))
    inverse = np.linalg.pinv(moment, hermitian=True)
    best, lowest = np.zeros((dim, dim)), 0.0
    for start in range(starts):
        right = np.random.default_rng((rank, start)).standard_normal((dim, rank))
        left = cross @ right
        for _ in range(ROUNDS):
            right, _ = np.linalg.qr(right)
            left = cross @ right @ np.linalg.pinv(right.T @ moment @ right, hermitian=True)
            right = inverse @ cross.T @ features @ left @ np.linalg.pinv(left.T @ features @ left, hermitian=True)
        found = left @ right.T
        risk = float(np.trace(features @ found @ (moment @ found.T - 2 * cross.T)))
        if risk < lowest:
            best, lowest = found, risk
    return best


def halves(values: Floats) -> tuple[Floats, Floats]:
    """Prompts to fit on and prompts to test on: every other one."""
    return values[::2], values[1::2]


def relative(name: str, measured: Floats, predicted: float, resolution: float, over: float = 0.0) -> Check:
    """Mean of the prompts' risks (B,) over the prediction, minus one; ``over`` is allowed on top (relative)."""
    unit = max(abs(predicted), 1e-300)
    return mean_check(name, measured / unit - predicted / unit, resolution, (-1e-9, over + 1e-9))


def mean_check(name: str, values: Floats, resolution: float, allowance: tuple[float, float] = (-1e-9, 1e-9)) -> Check:
    """The mean of the prompts' values (B,), which should lie in ``allowance``, with its own standard error."""
    count = len(values)
    error = float(values.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    return Check(
        name=name,
        deviation=float(values.mean()),
        allowance=allowance,
        resolution=resolution,
        standard_error=error,
        dof=max(count - 1, 1),
        replicates=count,
        raise_hint="replicates",
    )


def products_risk(raw: Dataset, features: Floats, step: Floats, omega: Floats, noise: float) -> Floats:
    """Risk (B,) of ``x' W X'(omega * y)`` on prompts whose products x_i y_i are kept; the query is averaged over."""
    seen = np.tensordot(pooled(raw.products), omega, axes=(1, 0))
    off = (pooled(raw.task) - seen @ step.T) @ np.linalg.cholesky(features)
    return np.einsum("bd,bd->b", off, off) + noise
