"""Texts near resting mixtures: the mixtures are all winner sets and more, and a list that is too long is refuted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from theory.ccmc.claims.winners import stay_checks
from theory.ccmc.experiments.stays import LENGTH, prompt_near, resting_mixtures, stays
from theory.ccmc.winners import fixed_points
from theory.core import catalog
from theory.core.errors import Cancelled
from theory.core.judge import judge_check
from theory.core.result import stack
from theory.core.vocabulary import Replicate

Floats = npt.NDArray[np.float64]


@pytest.mark.parametrize("seed", range(8))
def test_mixtures_at_rest_contain_every_winner_set(seed: int) -> None:
    size = 2 + seed % 4
    transition = np.random.default_rng(seed).dirichlet(np.ones(size), size=size)
    found, points = resting_mixtures(transition), fixed_points(transition)
    for mixture in found:
        assert np.abs(points.shares - mixture).sum(axis=1).min() < 1e-6
    for shares in points.shares[points.stable]:
        if shares[shares > 0].min() > 2e-3:
            assert np.abs(found - shares).sum(axis=1).min() < 1e-6


def test_chains_with_zeros_rest_where_they_can() -> None:
    turning = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    assert resting_mixtures(turning).shape == (0, 3)
    assert len(resting_mixtures(np.eye(3))) == 3
    assert len(resting_mixtures(np.full((7, 7), 1 / 7))) == 7


def test_long_prompts_are_near_their_mixture() -> None:
    counts = prompt_near(np.array([0.6, 0.4, 0.0]))
    assert counts.tolist() == [5982, 3988, 30]
    assert counts.sum() == LENGTH


def test_a_list_that_is_too_long_is_refuted() -> None:
    claim = catalog.claim("winner-sets")
    params: Any = catalog.parameters(claim, {"n_tokens": 1000, "replicates": 1})
    chain: Any = catalog.room_of(claim).draw(params, 0)
    raw = stack(stays.run(params, [Replicate(chain, seed) for seed in range(6)], "cpu", lambda *_: None, lambda: False))
    measured = claim.measure(params, chain, raw)
    verdicts = [
        [judge_check(check).status for check in stay_checks(chain, prediction, measured, claim.resolution)]
        for prediction in (claim.predict(params, chain), claim.rivals[3].predict(params, chain))
    ]
    assert verdicts[0] == ["holds", "holds"]
    assert verdicts[1].count("fails") >= 1
    assert stay_checks(replace(chain), claim.rivals[4].predict(params, chain), measured, claim.resolution) == []


def test_stops() -> None:
    claim = catalog.claim("winner-sets")
    params: Any = catalog.parameters(claim)
    chain = catalog.room_of(claim).draw(params, 0)
    with pytest.raises(Cancelled):
        stays.run(params, [Replicate(chain, 0)], "cpu", lambda *_: None, lambda: True)
