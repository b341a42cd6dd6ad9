"""Whether texts that begin near a listed winner set stay with it: what refutes a list that is too long."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.ccmc import flow
from theory.ccmc.claims.measures import median_error
from theory.ccmc.experiments.stays import LENGTH, STRETCH, prompt_near
from theory.ccmc.fluctuations import long_run_covariance
from theory.ccmc.problem import Chain, Floats
from theory.ccmc.winners import tangent_basis
from theory.core.vocabulary import Check

SAME_MIXTURE = 1e-3
SMALL, MOMENTS, MOST_STRETCH = 1e-4, 12, 3.0


def median_check(
    name: str, values: Floats, allowed: float, resolution: float, hint: str = "n_tokens", low: float = -np.inf
) -> Check:
    """The check of the median of runs (R,), which should lie from ``low`` to ``allowed``."""
    return Check(
        name=name,
        deviation=float(np.median(values)),
        allowance=(low, allowed),
        resolution=resolution,
        standard_error=median_error(values),
        dof=len(values) - 1,
        replicates=len(values),
        raise_hint=hint,
    )


def stay_checks(chain: Chain, prediction: Dataset, measured: Dataset, resolution: float) -> list[Check]:
    """Median L1 distance, at the end, of texts that began near each winner set, where the experiment found it."""
    ends, mixtures = measured.stayed.values, measured.mixture.values
    found: list[Check] = []
    for index, shares in enumerate(prediction.winner_shares.values):
        away = np.abs(mixtures - shares).sum(axis=1)
        if not len(away) or away.min() > SAME_MIXTURE:
            continue
        allowed = _wander(chain.transition, shares)
        if allowed <= 0.6 * resolution:
            distance = np.abs(ends[:, away.argmin()] - shares).sum(axis=1)
            name = f"median distance of texts that began near winner set {index}"
            found.append(median_check(name, distance, allowed, resolution, "seeds"))
    return found


def _wander(transition: Floats, shares: Floats) -> float:
    """How far (L1) a text may be from a set that attracts, after a long prompt near it.

    What the prompt lacks of the set fades; chance of covariance S exp(-tau)/n0 per log-time has a root mean square of
    at most ``sqrt(tr S/n0)`` in L2, both times what the flow stretches for a while.
    """
    counts = prompt_near(shares)
    start = counts / counts.sum()
    inside = shares > 0
    noise = long_run_covariance(transition[np.ix_(inside, inside)], shares[inside]) if inside.sum() > 1 else np.zeros(1)
    basis = tangent_basis(len(shares)).T
    moments = np.log(STRETCH) * np.arange(1, MOMENTS + 1) / MOMENTS
    first = flow.response(transition, start, SMALL * basis, moments).first / SMALL
    stretched = float(np.linalg.norm(first, ord=2, axis=(1, 2)).max())
    spread = np.sqrt(len(shares) * max(float(np.trace(np.atleast_2d(noise))), 0.0) / LENGTH)
    # A point that repels stretches without end: that is no excuse.
    return float(min(max(stretched, 1.0), MOST_STRETCH) * (np.abs(start - shares).sum() + spread))
