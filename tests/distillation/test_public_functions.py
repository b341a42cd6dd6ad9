"""The room's public functions refuse numbers that make no sense, by name; its limits are those of finite sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import theory.distillation as room
from theory.core.errors import DataError, ParameterError

LAM, BETA = np.arange(1.0, 41) ** -1.5, np.ones(40)
NODES = np.array([10.0])

REFUSED: list[tuple[str, Callable[[], Any]]] = [
    ("n_samples", lambda: room.solve_tau(LAM, 0)),
    ("n_samples", lambda: room.stats(LAM, math.nan)),
    ("n_samples", lambda: room.risk(LAM, BETA, BETA, 40)),
    ("ridge", lambda: room.stats(LAM, 10, -0.1)),
    ("eigenvalues", lambda: room.solve_tau(-LAM, 10)),
    ("eigenvalues", lambda: room.solve_tau(np.array([1.0, math.nan, 0.5]), 2)),
    ("eigenvalues", lambda: room.solve_tau(np.array([math.inf, 1.0, 0.5]), 2)),
    ("noise_variance", lambda: room.risk(LAM, BETA, BETA, 10, -1.0)),
    ("noise_variance", lambda: room.mask_curve(room.stats(LAM, 10), LAM, BETA, math.nan)),
    ("noise_variance", lambda: room.learning_curves(LAM, BETA, NODES, -1.0)),
    ("noise_variance", lambda: room.tuned_ridge(LAM, BETA, NODES, -1.0)),
    ("noise_target", lambda: room.two_stage(LAM, LAM, BETA, 10, 20, -1.0)),
    ("noise_teacher", lambda: room.two_stage_dense(np.diag(LAM), np.diag(LAM), BETA, 10, 20, 0.0, -1.0)),
    ("n_samples", lambda: room.two_stage(LAM, LAM, BETA, 10, 0)),
    ("teacher_features", lambda: room.two_stage(LAM, LAM, BETA, 10, 20, teacher_features=41)),
    ("eigenvalues", lambda: room.two_stage(LAM, 0 * LAM, BETA, 10, 80)),
    ("noises", lambda: room.generations(LAM, BETA, [20, 10], [0.1])),
    (r"noises\[1\]", lambda: room.generations(LAM, BETA, [20, 10], [0.1, -0.1])),
    ("sample_ratios", lambda: room.gain_map(np.array([1.0]), np.array([0.5, 1.0]), 20, 1.5)),
    ("spectrum_exponent", lambda: room.power_law_limits(math.nan, 1.5)),
    ("signal_exponent", lambda: room.limit_slopes("exponential", 0.1, 1.0)),
    ("rate", lambda: room.local_slopes("exponential", 0.0, 2.0, NODES)),
    ("n_samples", lambda: room.local_slopes("power", 2.0, 2.0, np.array([0.0]))),
    ("n_features", lambda: room.power_law_nodes(2.0, 0)),
    ("bins", lambda: room.compressed(LAM, 0)),
    ("ridge", lambda: room.simulate(LAM, BETA, BETA[:, None], 10, [(0,)], -1.0)),
]


@pytest.mark.parametrize(("parameter", "call"), REFUSED)
def test_numbers_that_make_no_sense_are_refused_by_name(parameter: str, call: Callable[[], Any]) -> None:
    with pytest.raises(ParameterError, match=f"^{parameter} = "):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: room.risk(LAM, BETA[:1], BETA, 10),
        lambda: room.optimal_surrogate(room.stats(LAM, 10), BETA[:1]),
        lambda: room.learning_curves(LAM, BETA[:1], NODES),
        lambda: room.two_stage(LAM, LAM[:1], BETA, 10, 20),
        lambda: room.generations(LAM, BETA[:1], [10], [0.0]),
        lambda: room.simulate(LAM, BETA, BETA[:1, None], 10, [(0,)]),
    ],
)
def test_what_numpy_would_stretch_is_refused(call: Callable[[], Any]) -> None:
    with pytest.raises(DataError, match="wrong_shape"):
        call()


@pytest.mark.parametrize(("alpha", "beta"), [(2.0, 1.5), (1.5, 2.0), (2.0, 3.0), (2.0, 6.0), (1.5, 5.0), (1.2, 1.5)])
def test_constants_of_the_law_are_reached_by_long_sums(alpha: float, beta: float) -> None:
    """Mask and optimal over strong risk at 10^5 samples and infinitely many features, against integrals."""
    limits = room.power_law_limits(alpha, beta)
    nodes, weights = room.power_law_nodes(min(alpha, beta), math.inf, (2e3, 1e7, 1e9))
    found = room.stats(nodes**-alpha, 1e5, 0.0, weights)
    energy, zeta = weights * nodes**-beta, found.unlearnt_fraction
    keep = zeta**2 / found.one_minus_overfitting
    best = found.noise_amplification * zeta**2 / room.curvature(found)
    assert energy @ best / (energy @ keep) == pytest.approx(limits.optimal, rel=2e-3)
    assert energy @ np.minimum(keep, 1) / (energy @ keep) == pytest.approx(limits.mask, rel=2e-3)


def test_every_public_name_is_there_after_all_modules_were_imported() -> None:

    assert len(room.__all__) > 40
    for name in room.__all__:
        assert callable(getattr(room, name)), name
