"""Risks of predictors on sampled prompts, and the best predictors that the prompts themselves show.

No closed form of the theory enters: moments are means over prompts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from xarray import Dataset

from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.simulation.prompts import root_of, task_moment
from theory.shared.statistics import pooled

ROUNDS, WEIGHT_ROUNDS, STARTS = 50, 6, 2
"""Alternating least squares is a power iteration: that many rounds settle all but near ties, which cost no risk."""


@dataclass(frozen=True, eq=False)
class GramPrompts:
    """Independent examples, kept as ``gram`` X'X (B, d, d).

    Task, label noise and query are averaged over given X, which takes ten times fewer prompts. ``features`` and
    ``tasks`` (d, d) are second moments, ``noise`` is the variance of label noise.
    """

    gram: Floats
    features: Floats
    tasks: Floats
    noise: float

    @staticmethod
    def of(params: Params, problem: Regression, data: Dataset, name: str = "gram") -> GramPrompts:
        """The prompts of all seeds."""
        features, noise = problem.feature_covariance, params.noise_variance
        return GramPrompts(pooled(data[name]), features, task_moment(params, problem), noise)

    def halves(self) -> tuple[Self, Self]:
        """Prompts to fit on and prompts to test on: every other one."""
        return replace(self, gram=self.gram[::2]), replace(self, gram=self.gram[1::2])

    def risk(self, step: Floats) -> Floats:
        """Risk (B,) of ``x' W X'y`` for W (d, d)."""
        root, lower = root_of(self.tasks), np.linalg.cholesky(self.features)
        left = lower.T @ (root - (step @ self.gram) @ root)
        spread = step.T @ self.features @ step
        return np.einsum("bij,bij->b", left, left) + self.noise * (1 + np.einsum("bij,ij->b", self.gram, spread))

    def moments(self) -> tuple[Floats, Floats]:
        """Second moment of X'y (d, d) and its cross moment E beta y'X (d, d), averaged over the prompts."""
        square = np.einsum("bij,jk,bkl->il", self.gram, self.tasks, self.gram, optimize=True) / len(self.gram)
        mean = self.gram.mean(axis=0)
        return square + self.noise * mean, self.tasks @ mean

    def best(self) -> Floats:
        """The step (d, d) with the smallest risk on these prompts."""
        moment, cross = self.moments()
        return cross @ np.linalg.pinv(moment, hermitian=True)

    def best_update(self, start: Floats, rank: int) -> Floats:
        """``start`` (d, d) plus the matrix of rank ``rank`` with which it has the smallest risk on these prompts.

        By alternating least squares: each factor in turn is the exact minimum given the other; the better of several
        random starts.
        """
        moment, cross = self.moments()
        cross, dim = cross - start @ moment, len(start)
        inverse = np.linalg.pinv(moment, hermitian=True)
        best, lowest = np.zeros((dim, dim)), 0.0
        for attempt in range(STARTS if rank else 0):
            right = np.random.default_rng((rank, attempt)).standard_normal((dim, rank))
            left = cross @ right
            for _ in range(ROUNDS):
                right, _ = np.linalg.qr(right)
                left = cross @ right @ np.linalg.pinv(right.T @ moment @ right, hermitian=True)
                spread = np.linalg.pinv(left.T @ self.features @ left, hermitian=True)
                right = inverse @ cross.T @ self.features @ left @ spread
            found = left @ right.T
            risk = float(np.trace(self.features @ found @ (moment @ found.T - 2 * cross.T)))
            if risk < lowest:
                best, lowest = found, risk
        return start + best


@dataclass(frozen=True, eq=False)
class WeightedPrompts:
    """Prompts kept as ``products`` x_i y_i (B, n, d) with the query's ``task`` (B, d); the query is averaged over."""

    products: Floats
    task: Floats
    features: Floats
    noise: float

    @staticmethod
    def of(params: Params, problem: Regression, data: Dataset) -> WeightedPrompts:
        """The prompts of all seeds."""
        features, noise = problem.feature_covariance, params.noise_variance
        return WeightedPrompts(pooled(data.products), pooled(data.task), features, noise)

    def halves(self) -> tuple[Self, Self]:
        """Prompts to fit on and prompts to test on: every other one."""
        first, second = (replace(self, products=self.products[k::2], task=self.task[k::2]) for k in (0, 1))
        return first, second

    def risk(self, step: Floats, omega: Floats) -> Floats:
        """Risk (B,) of ``x' W X'(omega * y)`` for W (d, d) and omega (n,)."""
        seen = np.tensordot(self.products, omega, axes=(1, 0))
        off = (self.task - seen @ step.T) @ np.linalg.cholesky(self.features)
        return np.einsum("bd,bd->b", off, off) + self.noise

    def best(self, omega: Floats) -> Floats:
        """The step (d, d) with the smallest risk on these prompts for these sample weights."""
        seen = np.tensordot(self.products, omega, axes=(1, 0))
        return self.task.T @ seen @ np.linalg.pinv(seen.T @ seen, hermitian=True)

    def best_weighted(self) -> tuple[Floats, Floats]:
        """The step (d, d) and the sample weights (n,) with the smallest risk here, by alternating least squares.

        Only their product is identified; the weights are scaled so that ``tr(W Sigma_x) = d``.
        """
        count, dim = self.products.shape[1:]
        omega, step = np.ones(count), np.zeros((dim, dim))
        flat = self.products.transpose(1, 0, 2).reshape(count, -1)
        for _ in range(WEIGHT_ROUNDS):
            step = self.best(omega)
            moved = self.products @ (step.T @ self.features @ step)
            square = flat @ moved.transpose(1, 0, 2).reshape(count, -1).T
            cross = np.einsum("bpd,bd->p", self.products, self.task @ self.features @ step)
            omega = np.linalg.pinv(square, hermitian=True) @ cross
        return scaled_alike(step, omega, self.features)


def scaled_alike(step: Floats, omega: Floats, features: Floats) -> tuple[Floats, Floats]:
    """The same product of W (d, d) and omega (n,), with ``tr(W Sigma_x) = d`` where that trace is not 0."""
    size = float(np.sum(step * features)) / len(step)
    return (step / size, omega * size) if abs(size) > 1e-12 * float(np.abs(step).max(initial=0.0)) else (step, omega)
