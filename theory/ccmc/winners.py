"""Which tokens win: every fixed point of the frequency dynamics, in closed form, with its stability.

The last token is a fast chain, the shares m move slowly: dm/dτ = v(m) − m with τ = log n (:mod:`theory.ccmc.flow`).
With u = v / (P m) the right side is m ∘ (Pᵀu − 1), so a fixed point with support S needs (Pᵀu)_j = 1 on S:

* u_S = P_SS^{-T} 1 must be positive; then M = diag(u_S) P_SS has columns that sum to 1, and m_S is its Perron vector;
* Jacobian on S: J = D_m Mᵀ (I − Mᵀ)^# D_m^{-1} (I − M), (I − Mᵀ)^# = (I − Mᵀ + 1mᵀ)^{-1} − 1mᵀ the group inverse;
* a token i outside S grows as n^θ_i with θ_i = Σ_{k in S} u_k P_ki;
* S is a winner set if J has only eigenvalues with negative real part on vectors that sum to 0, and all θ_i < 1.

A single token j is a fixed point whenever P_jj > 0, and wins alone iff P_jj is the maximum of its row.
Ours; the paper (arXiv 2402.13512) has the two-token case.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from theory.ccmc.problem import Booleans, Floats, Integers, checked_transition
from theory.ccmc.winners_compiled import POINT, TIE, solve_supports
from theory.core.errors import ParameterError

Complexes = npt.NDArray[np.complex128]
LARGEST_VOCABULARY = 12
SINGULAR = 1e10
"""Ratio of pivots from which P_SS counts as singular."""
STABILITY = 1e-9
"""Rates closer to zero than this are neutral, and shares this small are none: a smaller support has the point."""


@dataclass(frozen=True, eq=False)
class FixedPoints:
    """All F fixed points of dm/dτ = v(m) − m, the smaller supports first.

    ``support`` (F, K) bool, ``shares`` (F, K) m, ``rates`` (F, K) u, ``exponents`` (F, K) θ (1 on the support).
    ``eigenvalues`` (F, K − 1) of the Jacobian on the support; a support of s tokens has s − 1, the others are NaN.
    ``ties`` (G, K) bool: supports whose P_SS is singular with a continuum of fixed points instead of one.
    """

    support: Booleans
    shares: Floats
    rates: Floats
    exponents: Floats
    eigenvalues: Complexes
    ties: Booleans

    @property
    def relaxation(self) -> Floats:
        """Largest real part of the eigenvalues, (F,); −1 for a single token, whose shares cannot move alone."""
        real = np.where(np.isnan(self.eigenvalues), -1.0, self.eigenvalues.real)
        return real.max(axis=1, initial=-1.0)

    @property
    def invasion(self) -> Floats:
        """Largest θ_i − 1 of the tokens outside, (F,); −1 when nothing is outside."""
        return np.where(self.support, -1.0, self.exponents - 1).max(axis=1)

    @property
    def rate(self) -> Floats:
        """The exponent with which the slowest deviation behaves, (F,): negative for a winner set."""
        return np.maximum(self.relaxation, self.invasion)

    @property
    def stable(self) -> Booleans:
        """Which fixed points are winner sets, (F,)."""
        return self.rate < -STABILITY

    def only(self, chosen: Booleans) -> FixedPoints:
        """The fixed points that ``chosen`` (F,) selects."""
        parts = ("support", "shares", "rates", "exponents", "eigenvalues")
        return replace(self, **{name: getattr(self, name)[chosen] for name in parts})


def fixed_points(transition: Floats) -> FixedPoints:
    """All fixed points of the shares for a base chain P (K, K); row = last token.

    All supports are solved in one compiled loop, O(2^K K³): about 1 ms at K = 8 and 4 ms at K = 12. The last 64 chains
    are remembered.

    Raises:
        ParameterError: more than 12 tokens. DataError: P is no base chain.

    >>> found = fixed_points(np.array([[0.2, 0.8], [0.6, 0.4]]))
    >>> found.shares[found.stable].round(4).tolist()
    [[0.3077, 0.6923]]
    """
    checked = checked_transition(transition)
    size = len(checked)
    if size > LARGEST_VOCABULARY:
        raise ParameterError("vocab_size", size, f"at most {LARGEST_VOCABULARY} tokens: 2^K supports are enumerated")
    return _fixed_points(np.ascontiguousarray(checked).tobytes(), size)


def winner_sets(transition: Floats) -> FixedPoints:
    """The stable fixed points: the sets of tokens that can keep all the shares, for a base chain P (K, K).

    Raises:
        ParameterError, DataError: as :func:`fixed_points`.
    """
    found = fixed_points(transition)
    return found.only(found.stable)


def jacobian(flows: Floats, shares: Floats) -> Floats:
    """J (..., s, s) of dm/dτ at a fixed point: from M = diag(u) P (..., s, s), ``flows``, and m (..., s)."""
    eye = np.eye(shares.shape[-1])
    turned = np.swapaxes(flows, -1, -2)
    projector = np.broadcast_to(shares[..., None, :], flows.shape)
    group_inverse = np.linalg.inv(eye - turned + projector) - projector
    right = (eye - flows) / shares[..., :, None]
    return shares[..., :, None] * (turned @ (group_inverse @ right))


@lru_cache(maxsize=LARGEST_VOCABULARY)
def tangent_basis(size: int) -> Floats:
    """Orthonormal columns (size, size − 1) that sum to zero: directions in which shares can move."""
    basis = np.zeros((size, size - 1))
    for column in range(size - 1):
        scale = np.sqrt((column + 1) * (column + 2))
        basis[: column + 1, column] = 1 / scale
        basis[column + 1, column] = -(column + 1) / scale
    basis.setflags(write=False)
    return basis


def single_winners(transition: Floats) -> Integers:
    """Tokens that can win alone, (W,): those whose diagonal entry is the strict maximum of its row of P (K, K)."""
    checked = checked_transition(transition)
    others = np.where(np.eye(len(checked), dtype=bool), -np.inf, checked)
    return np.flatnonzero(np.diag(checked) > others.max(axis=1))


@lru_cache(maxsize=64)
def _fixed_points(content: bytes, size: int) -> FixedPoints:
    transition = np.frombuffer(content).reshape(size, size)
    members, sizes, inside = _supports(size)
    solved, law, kind = solve_supports(transition, members, sizes, 1 / SINGULAR, STABILITY)
    points = np.flatnonzero(kind == POINT)
    support, rates, shares, counts = inside[points], solved[points], law[points], sizes[points]
    exponents = np.where(support, 1.0, rates @ transition)
    eigenvalues = np.full((len(points), size - 1), np.nan, dtype=np.complex128)
    for count in range(2, size + 1):
        rows = np.flatnonzero(counts == count)
        if not len(rows):
            continue
        tokens = members[points[rows], :count]
        flows = rates[rows[:, None], tokens][:, :, None] * transition[tokens[:, :, None], tokens[:, None, :]]
        basis = tangent_basis(count)
        drift = basis.T @ jacobian(flows, shares[rows[:, None], tokens]) @ basis
        eigenvalues[rows, : count - 1] = np.linalg.eigvals(drift)
    found = FixedPoints(support, shares, rates, exponents, eigenvalues, inside[kind == TIE])
    for array in (found.support, found.shares, found.rates, found.exponents, found.eigenvalues, found.ties):
        array.setflags(write=False)  # they are shared by every caller
    return found


@lru_cache(maxsize=LARGEST_VOCABULARY)
def _supports(size: int) -> tuple[Integers, Integers, Booleans]:
    """All 2^K − 1 supports, the smaller first: members (F, K) padded with 0, sizes (F,), membership (F, K) bool."""
    listed = [members for count in range(1, size + 1) for members in combinations(range(size), count)]
    padded = np.array([members + (0,) * (size - len(members)) for members in listed], dtype=np.int64)
    sizes = np.array([len(members) for members in listed], dtype=np.int64)
    inside = np.zeros((len(listed), size), dtype=bool)
    for row, members in enumerate(listed):
        inside[row, list(members)] = True
    return padded, sizes, inside
