"""The risk as a convex landscape over preconditioners, and gradient descent on it in closed form (arXiv 2407.10005).

With D = W - W*, ``L(W) = L* + tr(Sigma_x D K D')``, ``K = Sigma_x^(1/2) S Sigma_x^(1/2)``: gradient descent contracts
each entry of D, in the eigenbases of Sigma_x and K, by its own factor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.icl.inputs import checked
from theory.icl.optimum import optimal_preconditioner, second_moment, step_risk
from theory.icl.problem import Floats, Regression


@dataclass(frozen=True, eq=False)
class Landscape:
    """The quadratic: optimum W* and L*, eigenvectors (d, d) of Sigma_x and K, and ``curvature`` (d, d) of the Hessian.

    ``curvature[j, k]`` is the Hessian eigenvalue ``2 s_j mu_k``.
    """

    optimum: Floats
    lowest: float
    feature_basis: Floats
    moment_basis: Floats
    curvature: Floats

    @property
    def condition_number(self) -> float:
        """Largest over smallest curvature; infinite when some direction is flat."""
        low = float(self.curvature.min())
        return float(self.curvature.max()) / low if low > 0 else np.inf

    @property
    def largest_step(self) -> float:
        """Gradient descent diverges from this step size on: 2 / h_max."""
        return 2 / float(self.curvature.max())


def landscape(problem: Regression, n: float, sigma2: float, kurtosis: float = 0.0) -> Landscape:
    """The quadratic at these parameters; O(d^3) once."""
    checked("n", n, 1)
    checked("sigma2", sigma2, 0)
    root = problem.whitening[0]
    moment = root @ second_moment(problem, n, sigma2, kurtosis) @ root
    sizes, feature_basis = np.linalg.eigh(problem.feature_covariance)
    powers, moment_basis = np.linalg.eigh(moment)
    best = optimal_preconditioner(problem, n, sigma2, kurtosis)
    lowest = float(step_risk(best, problem, n, sigma2, kurtosis))
    return Landscape(best, lowest, feature_basis, moment_basis, 2 * np.outer(sizes, np.maximum(powers, 0.0)))


def gd_path(found: Landscape, start: Floats, step_size: float, steps: Floats) -> tuple[Floats, Floats]:
    """Weights (t, d, d) and risks (t,) after the given numbers of steps of exact gradient descent from ``start``."""
    offset = found.feature_basis.T @ (start - found.optimum) @ found.moment_basis
    factor = (1 - step_size * found.curvature)[None] ** np.asarray(steps, dtype=np.float64)[:, None, None]
    moved = factor * offset
    weights = found.optimum + found.feature_basis @ moved @ found.moment_basis.T
    return weights, found.lowest + 0.5 * np.einsum("jk,tjk->t", found.curvature, moved**2)


def hessian_spectrum(found: Landscape) -> Floats:
    """All eigenvalues of the Hessian, ascending, shape (d^2,)."""
    return np.sort(found.curvature.ravel())


def whitened_condition_number(eigenvalues: Floats, n: float, sigma2: float) -> float:
    """Condition number over whitened weights: ``((n+1) lambda_max + M) / ((n+1) lambda_min + M)``.

    About 1 for short prompts and lambda_max / lambda_min for long ones: longer contexts are harder to optimise.
    """
    power = float(checked("eigenvalues", eigenvalues, 0).sum()) + float(checked("sigma2", sigma2, 0))
    top = (n + 1) * float(eigenvalues.max()) + power
    return top / ((n + 1) * float(eigenvalues.min()) + power) if top > 0 else 1.0
