"""Three tokens on a ring: when they balance, and when each in turn dominates for longer and longer.

P[k, k] = stay, P[k, k+1] = advance, P[k, k-1] = back. Ours: linearise the flow of the shares at the uniform mix, and
follow it past the single tokens, which are saddles when back < stay < advance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.ccmc.problem import Floats, checked_shares, checked_transition

CIRCULANT_TOLERANCE = 1e-9
ROOT = np.exp(2j * np.pi / 3)


@dataclass(frozen=True)
class Ring:
    """A circulant base chain of three tokens."""

    stay: float
    advance: float
    back: float

    def __post_init__(self) -> None:
        checked_shares((self.stay, self.advance, self.back), 3)

    @property
    def omega(self) -> complex:
        """Eigenvalue of P: ``stay + advance z + back z^2`` with z = exp(2 pi i/3)."""
        return complex(self.stay + self.advance * ROOT + self.back * np.conj(ROOT))

    @property
    def eigenvalue(self) -> complex:
        """Rate in log-time of a small displacement from the uniform mix: (1 - w) w*/(1 - w*), w = ``omega``.

        It belongs to the mode ``sum_k m_k exp(-2 pi i k/3)``, so that a negative imaginary part turns towards the
        successors. Zero where all entries are equal.

        >>> ring = Ring(0.36, 0.6, 0.04)
        >>> print(f"{ring.eigenvalue:.4f}")
        -0.3666-0.3200j
        """
        omega = self.omega
        gap = 1 - omega.conjugate()
        return (1 - omega) * omega.conjugate() / gap if abs(gap) > CIRCULANT_TOLERANCE else 0j

    def scatter(self, log_time: Floats, rate: float) -> Floats:
        """n0 times the mean squared distance from the uniform mix, at log-times after a balanced prompt of n0 tokens.

        To leading order the shares obey dz = J z dtau + noise of covariance S exp(-tau)/n0, S the long-run covariance
        of the fast chain. On a ring both are multiples of turns of the plane of shares, so that the square grows as
        ``tr S (exp(2 rho tau) - exp(-tau))/(2 rho + 1)`` with rho = ``rate``, the real part of ``eigenvalue``. At equal
        shares the fast chain is P itself: ``tr S = (2/3) Re (1 + w)/(1 - w)``, w = ``omega``.
        """
        omega, power = self.omega, 2 * rate + 1
        noise = 2 / 3 * ((1 + omega) / (1 - omega)).real if abs(1 - omega) > CIRCULANT_TOLERANCE else 0.0
        grown = np.expm1(power * log_time) / power if abs(power) > CIRCULANT_TOLERANCE else log_time
        return noise * np.exp(-log_time) * grown

    @property
    def mix_attracts(self) -> bool:
        """Whether the uniform mix is stable: x (1 + r^2) < 2 r^2 with omega = x + iy, r its modulus (Hopf boundary)."""
        square = abs(self.omega) ** 2
        return self.omega.real * (1 + square) < 2 * square

    @property
    def cycle_exists(self) -> bool:
        """Whether flow leads from each single token to the next around the ring: stay lies between the other two."""
        return min(self.advance, self.back) < self.stay < max(self.advance, self.back)

    @property
    def cycle_ratio(self) -> float:
        """How many times longer, in log-time, each token dominates than the one before it; 0 without a cycle.

        Next to a dominating token its successor grows at the rate b/a - 1 and its predecessor shrinks at 1 - c/a (a =
        stay, b and c the larger and smaller of the others); their ratio multiplies the logarithm of the smallest share
        at each passage. The cycle attracts when it is above 1, that is stay > 1/3.

        >>> round(Ring(0.37, 0.55, 0.08).cycle_ratio, 3)
        1.611
        """
        if not self.cycle_exists:
            return 0.0
        high, low = max(self.advance, self.back), min(self.advance, self.back)
        return (self.stay - low) / (high - self.stay)

    @property
    def cycle_attracts(self) -> bool:
        """Whether longer and longer monologues attract."""
        return self.cycle_ratio > 1


def ring_of(transition: Floats) -> Ring | None:
    """The ring that a base chain is, or None when it is not a circulant of three tokens.

    >>> ring_of(np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.3, 0.2, 0.5]]))
    Ring(stay=0.5, advance=0.3, back=0.2)
    """
    chain = checked_transition(transition)
    if len(chain) != 3:
        return None
    turned = np.stack([np.roll(row, -k) for k, row in enumerate(chain)])
    if np.abs(turned - turned[0]).max() > CIRCULANT_TOLERANCE:
        return None
    return Ring(*turned[0].tolist())
