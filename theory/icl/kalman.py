"""The best convolution filter for a task that drifts as an AR(1) process is a Kalman predictor (ours).

For isotropic tasks the products x_i y_i are measurements of the task in noise of variance ``tau = d + 1 + sigma^2`` per
coordinate, as far as second moments go: R + tau I and r are the normal equations of predicting it one step ahead.
"""

from __future__ import annotations

import numpy as np

from theory.icl.inputs import checked
from theory.icl.problem import Floats


def kalman_filter(rho: float, n: int, tau: float) -> tuple[Floats, Floats]:
    """Prediction error P_0..P_n (n + 1,) and weights (n,) of n measurements with noise ``tau``, oldest first; O(n).

    >>> spread, weights = kalman_filter(1.0, 2, 2.0)  # a constant task: the mean of n values, shrunk
    >>> spread.round(3).tolist(), weights.round(3).tolist()
    ([1.0, 0.667, 0.5], [0.25, 0.25])
    """
    checked("rho", rho, -1, 1)
    checked("n", n, 0, whole=True)
    checked("tau", tau, 0)
    spread = np.ones(n + 1)
    weights = np.zeros(n)
    for step in range(n):
        gain = spread[step] / (spread[step] + tau)
        spread[step + 1] = rho**2 * (1 - gain) * spread[step] + 1 - rho**2
        weights[:step] *= rho * (1 - gain)
        weights[step] = rho * gain
    return spread, weights


def steady_gain(rho: float, tau: float) -> tuple[float, float]:
    """Steady-state error P and the factor ``rho tau / (P + tau)`` by which weights decay per lag."""
    checked("rho", rho, -1, 1)
    checked("tau", tau, 0)
    linear = (tau - 1) * (1 - rho**2)
    spread = (-linear + np.sqrt(linear**2 + 4 * tau * (1 - rho**2))) / 2
    return float(spread), float(rho * tau / (spread + tau))
