"""How shares scatter around a mixed winner set: a central limit theorem with memory.

Near a stable interior point the shares obey dz = (J + I/2) z dτ + noise for z = √n (m − m*), with noise covariance Σ,
the long-run covariance of the fast chain. If all eigenvalues of J have real part below −1/2, z becomes Gaussian with
covariance V, (J + I/2) V + V (J + I/2)ᵀ = −Σ. Between −1/2 and 0 the start is never forgotten at the scale √n. Ours.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_continuous_lyapunov

from theory.ccmc.flow import fast_chain, last_token_shares
from theory.ccmc.problem import Floats
from theory.ccmc.two_tokens import two_tokens
from theory.ccmc.winners import jacobian, tangent_basis
from theory.core.errors import DataError


def fundamental_matrix(transition: Floats, shares: Floats) -> Floats:
    """Z (K, K) = (I − Q + 1vᵀ)^{-1} − 1vᵀ of the fast chain at shares m (K,).

    ``Z[k, j]`` is how many tokens j more than usual are generated, in total, after a start in token k.
    """
    law = last_token_shares(transition, shares)
    chain = fast_chain(transition, shares)
    return np.linalg.inv(np.eye(len(law)) - chain + law) - law


def long_run_covariance(transition: Floats, shares: Floats) -> Floats:
    """Σ (K, K): covariance per token of the counts that the fast chain generates at shares m (K,)."""
    law = last_token_shares(transition, shares)
    flow = law[:, None] * fundamental_matrix(transition, shares)
    return flow + flow.T - np.diag(law) + np.outer(law, law)


def limit_covariance(drift: Floats, noise: Floats) -> Floats:
    """V (K, K) with (J + I/2) V + V (J + I/2)ᵀ = −Σ on vectors that sum to zero, from J and Σ (K, K).

    Raises:
        DataError: an eigenvalue of J has real part −1/2 or more: there is no such V.
    """
    basis = tangent_basis(len(drift))
    reduced = basis.T @ drift @ basis + np.eye(basis.shape[1]) / 2
    slowest = float(np.linalg.eigvals(reduced).real.max(initial=-np.inf))
    if slowest >= 0:
        raise DataError("no_gaussian_limit", f"largest eigenvalue {slowest - 0.5:.3g}; expected below −1/2.")
    inner = solve_continuous_lyapunov(reduced, -(basis.T @ noise @ basis))
    return basis @ inner @ basis.T


def share_covariance(transition: Floats, shares: Floats, rates: Floats) -> Floats:
    """V (K, K): limit of n Cov(m) at the interior fixed point ``shares`` with ``rates`` u (both (K,)).

    Raises:
        DataError: an eigenvalue of the Jacobian has real part −1/2 or more.
    """
    drift = jacobian(rates[:, None] * transition, shares)
    return limit_covariance(drift, long_run_covariance(transition, shares))


def two_token_variance(transition: Floats) -> float:
    """Limit of n Var(m_0) for K = 2, in closed form: σ² / (2|λ| − 1); infinite where |λ| <= 1/2.

    σ² = m_0 m_1 (2 − x − y) / (x + y), x = Q_01, y = Q_10, λ = −(1 − α)(1 − β) / (1 − αβ), for odds α, β < 1.

    Raises:
        DataError: an odds is 1 or more: the mixed point is not stable.

    >>> a = 0.1
    >>> value = two_token_variance(np.array([[a, 1 - a], [1 - a, a]]))
    >>> round(value, 6), round(a / (4 * (1 - a) * (1 - 4 * a)), 6)
    (0.046296, 0.046296)
    """
    chain = two_tokens(transition)
    first, second, share = chain.first, chain.second, chain.balance
    if first >= 1 or second >= 1:
        raise DataError("no_mixed_point", f"odds {first:.3g} and {second:.3g}; expected both below 1.")
    noise = float(chain.variance(np.array(share)))
    return noise / (2 * abs(chain.eigenvalue) - 1) if chain.eigenvalue < -0.5 else float("inf")
