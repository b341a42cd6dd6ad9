"""Reversible base chains: shares climb a quadratic form, so winner sets are its strict local maxima.

With detailed balance ``mu_k P_kj = mu_j P_jk =: S_kj`` the flow of the shares is ``dm_j/dtau = m_j ((S m)_j/Phi - 1)``,
the replicator equation of a symmetric game, and ``Phi = m' S m`` rises: ``dPhi/dtau = 2 Var_m(S m)/Phi``. Ours: the
fast chain with weights ``m_j P_kj`` inherits the balance, so its stationary law is ``m_j (S m)_j/Phi``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from theory.ccmc.cures import stationary_law
from theory.ccmc.problem import Booleans, Floats, checked_transition
from theory.ccmc.winners import LARGEST_VOCABULARY
from theory.core.errors import DataError, ParameterError

FLAT = 1e-9
"""A curvature or slope within this of zero is not strict."""


@dataclass(frozen=True)
class Maxima:
    """Strict local maxima of the quadratic form on the simplex, highest first.

    ``shares`` (n, K), ``support`` (n, K), ``height`` (n,): the value of the form. ``margin`` (n,): the slowest rate, in
    log-time, at which shares approach each.
    """

    shares: Floats
    support: Booleans
    height: Floats
    margin: Floats


def balance_defect(transition: Floats) -> float:
    """How far P is from reversible: the largest |log| ratio of a triangle's two directions (Kolmogorov's criterion).

    Triangles are enough where no entry is zero; infinite where a step has positive probability in one direction only.

    >>> balance_defect(np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.3, 0.2, 0.5]])).__round__(4)
    1.2164
    """
    chain = checked_transition(transition)
    joined = chain > 0
    if (joined != joined.T).any():
        return float("inf")
    positive = np.where(joined, chain, 1.0)
    tilt = np.log(positive / positive.T)
    every = tilt[:, :, None] + tilt[None, :, :] + tilt.T[:, None, :]
    closed = joined[:, :, None] & joined[None, :, :] & joined.T[:, None, :]
    return float(np.abs(every[closed]).max(initial=0.0))


def potential_matrix(transition: Floats) -> Floats:
    """The form's symmetric matrix S (K, K) = stationary flows, sum 1; for a chain that is not reversible, symmetrised.

    >>> potential_matrix(np.array([[0.5, 0.5], [0.25, 0.75]])).round(4).tolist()
    [[0.1667, 0.1667], [0.1667, 0.5]]
    """
    law = stationary_law(transition)
    flows = law[:, None] * np.asarray(transition)
    return (flows + flows.T) / 2


def height(potential: Floats, shares: Floats) -> Floats:
    """The form m' S m along the last axis of ``shares`` (..., K)."""
    return np.einsum("...j,jk,...k->...", shares, potential, shares)


def ascent(potential: Floats, shares: Floats) -> Floats:
    """The predicted speed dPhi/dtau = 2 Var_m(S m)/Phi along the last axis of ``shares`` (..., K)."""
    payoff = shares @ potential
    mean = (shares * payoff).sum(axis=-1)
    return 2 * (shares * (payoff - mean[..., None]) ** 2).sum(axis=-1) / mean


def local_maxima(potential: Floats) -> Maxima:
    """All strict local maxima of m' S m on the simplex, by their supports; supports never contain each other.

    On a support, S m is constant (= Phi), strictly smaller outside it, and the form is strictly concave on it.

    Raises:
        DataError: S is not symmetric. ParameterError: more than 12 tokens.

    >>> local_maxima(np.array([[0.1, 0.4], [0.4, 0.1]])).shares.tolist()
    [[0.5, 0.5]]
    """
    size = len(potential)
    if potential.shape != (size, size) or not np.allclose(potential, potential.T):
        raise DataError("not_symmetric", f"S of shape {potential.shape} must be a symmetric matrix.")
    if size > LARGEST_VOCABULARY:
        raise ParameterError("vocab_size", size, f"at most {LARGEST_VOCABULARY} tokens: 2^K supports are enumerated")
    found = [maximum for count in range(1, size + 1) for maximum in _maxima_of_size(potential, count)]
    found.sort(key=lambda item: -item[1])
    shares = np.array([item[0] for item in found]).reshape(-1, size)
    rest = np.array([item[1:] for item in found]).reshape(-1, 2)
    return Maxima(shares, shares > 0, rest[:, 0], rest[:, 1])


def _maxima_of_size(potential: Floats, count: int) -> list[tuple[Floats, float, float]]:
    """Maxima with ``count`` tokens: shares, height and slowest rate; all supports of a size are solved as one stack."""
    members = np.array(list(combinations(range(len(potential)), count)))
    blocks = potential[members[:, :, None], members[:, None, :]]
    scale = np.linalg.svd(blocks, compute_uv=False)
    regular = scale[:, -1] > FLAT * scale[:, 0]
    solved = np.linalg.solve(blocks[regular], np.ones((int(regular.sum()), count, 1)))[..., 0]
    positive = (solved > 0).all(axis=1)
    members, blocks, solved = members[regular][positive], blocks[regular][positive], solved[positive]
    heights = 1 / solved.sum(axis=1)
    inner = solved * heights[:, None]
    shares = np.zeros((len(members), len(potential)))
    np.put_along_axis(shares, members, inner, axis=1)
    invasion = np.where(shares > 0, 0.0, shares @ potential / heights[:, None]).max(axis=1)
    # Along the support the flow's matrix D_m S/Phi is similar to root(m) S root(m)/Phi; the vector root(m), which is
    # not tangent to the simplex and has eigenvalue 1, is moved to -2, below all others.
    root = np.sqrt(inner)
    along = root[:, :, None] * (blocks / heights[:, None, None] - 3.0) * root[:, None, :]
    growth = np.maximum(np.linalg.eigvalsh(along).max(axis=1) if count > 1 else -1.0, invasion - 1)
    return [(shares[i], float(heights[i]), float(-growth[i])) for i in np.flatnonzero(growth < -FLAT)]
