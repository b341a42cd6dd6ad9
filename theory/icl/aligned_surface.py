"""Risk of any symmetric preconditioner where examples point along the query or the task (ours).

Isotropic features and tasks: by rotation invariance ``L(W) = M - 2 l tr W + p (tr W)^2 + q tr W^2``. Given the vector
s that examples share, ``E u u' = P s s' + Q I`` for u = X'y with P and Q polynomials in t = |s|^2; moments of a
chi-square do the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.icl.inputs import checked
from theory.icl.problem import Floats


@dataclass(frozen=True, eq=False)
class AlignedSurface:
    """``L(W) = power - 2 linear tr W + squared_trace (tr W)^2 + trace_of_square tr W^2`` in dimension ``dim``."""

    dim: int
    power: float
    linear: float
    squared_trace: float
    trace_of_square: float

    @property
    def scale(self) -> float:
        """The best multiple of the identity, which is the best preconditioner."""
        return self.linear / (self.squared_trace * self.dim + self.trace_of_square)

    @property
    def lowest(self) -> float:
        """Its risk."""
        return self.power - self.linear * self.dim * self.scale


def retrieval_surface(dim: int, n: float, alignment: float, sigma2: float) -> AlignedSurface:
    """Examples ``alpha x + sqrt(1 - alpha^2) g`` near the query x.

    >>> from theory.icl.retrieval import rag_optimum
    >>> bool(np.isclose(retrieval_surface(5, 7, 0.6, 0.3).lowest, rag_optimum(5, 7, 0.6, 0.3).risk))
    True
    """
    _check(dim, n, alignment, sigma2, 1.0)
    square, rest = alignment**2, 1 - alignment**2
    pairs = n * (n - 1)
    along = np.array([n * square * rest * (dim + 4) + 2 * pairs * square * rest, (n + pairs) * square**2])
    across = np.array([(n * (dim + 2) + pairs) * rest**2, n * rest * square])
    along[0] += sigma2 * n * square
    across[0] += sigma2 * n * rest
    fourth, second = along @ _moments(dim, 4, 2), across @ _moments(dim, 2, 2)
    linear = n * (square * (dim + 2) + rest)
    return AlignedSurface(dim, dim + sigma2, linear, float(fourth), float(2 * fourth + second))


def alignment_surface(dim: int, n: float, alignment: float, sigma2: float) -> AlignedSurface:
    """Examples and query ``alpha beta + g`` along the task, labels scaled by gamma.

    >>> from theory.icl.retrieval import alignment_optimum
    >>> bool(np.isclose(alignment_surface(5, 7, 0.6, 0.3).lowest, alignment_optimum(5, 7, 0.6, 0.3).risk))
    True
    """
    _check(dim, n, alignment, sigma2)
    square = alignment**2
    gamma2 = 1 / (square * dim + 1)
    once = np.array([2.0, 5 * square, square**2])
    twice = np.array([1.0, 2 * square, square**2])
    along = n * gamma2 * once + n * (n - 1) * gamma2 * twice
    along[0] += n * sigma2 * square
    across = np.array([n * sigma2, n * gamma2, n * gamma2 * square])
    fourth = square * float(along @ _moments(dim, 4, 3))
    second = square * float(across @ _moments(dim, 2, 3)) + float(along @ _moments(dim, 2, 3))
    bare = float(across @ _moments(dim, 0, 3))
    linear = n * gamma2 * float(twice @ _moments(dim, 2, 3))
    power = gamma2 * dim * (square * (dim + 2) + 1) + sigma2
    return AlignedSurface(dim, power, linear, fourth, 2 * fourth + second + bare)


def _check(dim: int, n: float, alignment: float, sigma2: float, furthest: float = np.inf) -> None:
    checked("dim", dim, 1, whole=True)
    checked("n", n, 1)
    checked("alignment", alignment, -furthest, furthest)
    checked("sigma2", sigma2, 0)


def _moments(dim: int, degree: int, count: int) -> Floats:
    """``E |s|^(2k) f(s) / E f(s)`` for k = 0..count - 1 and f homogeneous of this degree: factors d + degree + 2j."""
    factors = [1.0, *(dim + degree + 2.0 * k for k in range(count - 1))]
    found: Floats = np.cumprod(factors).astype(np.float64)
    return found
