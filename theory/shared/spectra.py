"""Spectra and bases that several rooms share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def rotated_basis(size: int, amount: float, generator: np.random.Generator) -> Floats:
    """An orthogonal matrix (size, size): the identity at 0, Haar-distributed at 1, a blend (by QR) in between.

    >>> rotated_basis(2, 0.0, np.random.default_rng(0)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if amount == 0:
        return np.eye(size)
    blend = (1 - amount) * np.eye(size) + amount * generator.standard_normal((size, size)) / np.sqrt(size)
    basis, upper = np.linalg.qr(blend)
    return basis * np.sign(np.diag(upper))
