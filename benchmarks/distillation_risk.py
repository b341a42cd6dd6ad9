"""Risks at a million features, by quadrature or after one compression, against sums over all features."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from benchmarks.harness import Line, least_seconds, readable
from theory.distillation.effective_ridge import Stats, compressed, stats
from theory.distillation.power_law import power_law_nodes
from theory.distillation.student_risk import masked, optimal_mask, optimal_surrogate, risk_of

Floats = npt.NDArray[np.float64]
SIZE, SAMPLES, SPECTRUM, SIGNAL = 1_000_000, 200.0, 2.0, 1.5
REQUIRED = 100


def three_risks(found: Stats, eigenvalues: Floats, signal: Floats, weights: Floats | None = None) -> Floats:
    """Risks of the strong, mask and optimal teachers."""
    teachers = [signal, masked(signal, optimal_mask(found)), optimal_surrogate(found, signal)]
    return risk_of(found, eigenvalues, signal, np.column_stack(teachers), 0.0, weights).risk


def run() -> Iterator[Line]:
    index = np.arange(1.0, SIZE + 1)
    eigenvalues, signal = index**-SPECTRUM, index ** ((SPECTRUM - SIGNAL) / 2)

    def dense() -> Floats:
        return three_risks(stats(eigenvalues, SAMPLES), eigenvalues, signal)

    def quadrature() -> Floats:
        # The mask cuts among the leading features, which the rule holds one by one.
        nodes, weights = power_law_nodes(SPECTRUM, SIZE)
        lam, truth = nodes**-SPECTRUM, nodes ** ((SPECTRUM - SIGNAL) / 2)
        return three_risks(stats(lam, SAMPLES, 0.0, weights), lam, truth, weights)

    slow, fast = least_seconds(dense, 3), least_seconds(quadrature, 50)
    error = float(np.abs(quadrature() / dense() - 1).max())
    note = f"all features: {readable(slow)}; they differ by {error:.0e}"
    yield Line("tau and three risks, p=10^6, power law", readable(fast), note, slow / fast, REQUIRED)

    uploaded = np.sort(eigenvalues * np.random.default_rng(0).lognormal(0, 0.3, SIZE))[::-1].copy()
    means, counts = compressed(uploaded)
    slow = least_seconds(lambda: stats(uploaded, SAMPLES), 3)
    fast = least_seconds(lambda: stats(means, SAMPLES, 0.0, counts), 50)
    error = abs(stats(means, SAMPLES, 0.0, counts).effective_ridge / stats(uploaded, SAMPLES).effective_ridge - 1)
    once = least_seconds(lambda: compressed(uploaded), 3)
    note = f"all eigenvalues: {readable(slow)}; tau differs by {error:.0e}; compressing once: {readable(once)}"
    yield Line("uploaded spectrum, p=10^6, compressed", readable(fast), note, slow / fast, REQUIRED)
