"""Predicted risk of students whose samples are drawn from a finite population of real features.

Rows are drawn without replacement and the student is judged on the others. The error over all N rows follows the risk
formula with the population's covariance, exactly as for Gaussian features: if the whitened population is a rotationally
invariant frame of N rows, the rank of a sample fixes tau as before, and so do its derivatives the mean of P Sigma P,
while the smaller noise term, N - n for N, is made up for by residuals that the population fit has made orthogonal
(ours). An interpolating student makes the error of its labels on the sampled rows, so that the error over unseen rows
is ``(N R - n D) / (N - n)`` with D the mean squared error of the teacher's labels.
"""

from __future__ import annotations

import numpy as np

from theory.distillation.effective_ridge import Stats
from theory.distillation.problem import Floats, Regression
from theory.distillation.student_risk import masked, optimal_mask, optimal_surrogate, risk_of

ARMS = ("strong", "mask", "optimal", "labels")
"""True linear labels, the best mask's, the best teacher's, and the targets themselves where the population has any."""


def held_out_risks(found: Stats, problem: Regression, n_samples: float) -> Floats:
    """Excess risks (arms,) on unseen rows, summed over outputs, in the order of :data:`ARMS`; no labels, no last arm.

    ``found`` are the statistics at ``n_samples``. The labels' arm counts what linear features leave unexplained as
    independent noise, which real residuals are not: an indication.
    """
    signal = problem.signal
    columns = np.column_stack([signal, masked(signal, optimal_mask(found)), optimal_surrogate(found, signal)])
    everywhere = risk_of(found, problem.eigenvalues, signal, columns).risk
    sampled: Floats = problem.eigenvalues @ (columns - signal[:, None]) ** 2
    if problem.residual_variance is not None:
        noise = float(problem.residual_variance.sum())
        everywhere = np.append(everywhere, everywhere[0] + found.noise_amplification * noise)
        sampled = np.append(sampled, noise)
    if problem.features is None:
        return everywhere
    rows = float(len(problem.features))
    share = min(n_samples / rows, 1 - 1 / rows)
    return (everywhere - share * sampled) / (1 - share)
