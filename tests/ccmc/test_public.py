"""Every public name of the room works in a fresh process and after all imports, and refuses what makes no sense."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from theory import ccmc
from theory.core.errors import BenchError

P = [[0.7, 0.3], [0.2, 0.8]]
LAW = np.array([0.7, 0.3])
RING = [[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.3, 0.2, 0.5]]
COUNTS, LAST, CHOSEN = np.array([[1, 1]]), np.array([0]), np.array([[3, 1]])
CALLS: dict[str, Callable[[], Any]] = {
    "Chain": lambda: ccmc.draw(ccmc.Params(), 0).vocab_size,
    "Layer": lambda: ccmc.Layer(np.eye(2), np.eye(2), np.eye(2)).logits,
    "Params": lambda: ccmc.Params(),
    "Ring": lambda: ccmc.Ring(0.5, 0.3, 0.2).eigenvalue,
    "TwoTokens": lambda: ccmc.TwoTokens(2.0, 3.0).balance,
    "balance": lambda: ccmc.balance(P, 2.0),
    "balance_defect": lambda: ccmc.balance_defect(RING),
    "basins": lambda: ccmc.basins(P, [[0.9, 0.1]], np.eye(2)),
    "ccmc_next": lambda: ccmc.ccmc_next([1, 1], 0, P),
    "choose_method": lambda: ccmc.choose_method(P, [0, 1], 100),
    "coverage": lambda: ccmc.coverage([[0, 1]], 2),
    "coverage_of": lambda: ccmc.coverage_of(COUNTS, LAST),
    "curvature_bound": lambda: ccmc.curvature_bound(ccmc.draw(ccmc.Params(), 0)),
    "descent_steps": lambda: ccmc.descent_steps(np.array([0.5]), 1.0, 0.1),
    "draw": lambda: ccmc.draw(ccmc.Params(), 0),
    "existence_of": lambda: ccmc.existence_of(COUNTS, LAST, CHOSEN),
    "expected_events": lambda: ccmc.expected_events(P, [0, 1], 1000),
    "few_step_law": lambda: ccmc.few_step_law(P, [1, 1], 0, 3),
    "fit_report": lambda: ccmc.fit_report(_labelled()),
    "fit_rows": lambda: ccmc.fit_rows(COUNTS, LAST, np.array([4]), ccmc.wins_of(LAST, CHOSEN[None])),
    "fixation": lambda: ccmc.fixation(P, [0, 1, 1]),
    "fixed_points": lambda: ccmc.fixed_points(P),
    "from_text": lambda: ccmc.from_text("a rose is a rose is a rose " * 20, ccmc.Params()),
    "generate": lambda: ccmc.generate(ccmc.Layer(np.zeros((2, 2)), np.eye(2), np.eye(2)), np.array([0, 1]), 5, [0]),
    "generate_text": lambda: ccmc.generate_text(P, [0, 1], 10, 0),
    "given_design": lambda: ccmc.given_design([[0, 1]], [1], 2),
    "head_of": lambda: ccmc.head_of(np.eye(2)),
    "identifiability_report": lambda: ccmc.identifiability_report(ccmc.draw(ccmc.Params(), 0)),
    "information_of": lambda: ccmc.information_of(ccmc.draw(ccmc.Params(), 0)).constant,
    "learnable": lambda: ccmc.learnable(np.array([1.0, 0.4])),
    "local_maxima": lambda: ccmc.local_maxima(ccmc.potential_matrix(P)),
    "mean_log_prefactor": lambda: ccmc.mean_log_prefactor(LAW, np.ones(2)),
    "mle_exists": lambda: ccmc.mle_exists(np.ones((2, 2, 2), dtype=bool)),
    "move_exponents": lambda: ccmc.move_exponents(np.array([1.0, 0.4])),
    "neutral_fixation": lambda: ccmc.neutral_fixation([0, 1], 2),
    "next_prompts": lambda: ccmc.next_prompts(ccmc.coverage([[0, 1]], 2)),
    "position_terms": lambda: ccmc.position_terms(np.eye(2), np.eye(2), np.zeros((3, 2))),
    "position_weights": lambda: ccmc.position_weights(np.array([0, 1]), np.zeros(2), 2),
    "potential_matrix": lambda: ccmc.potential_matrix(P),
    "recency_growth": lambda: ccmc.recency_growth(0.5, 0.5),
    "ring_of": lambda: ccmc.ring_of(RING),
    "sample_log_prefactors": lambda: ccmc.sample_log_prefactors(LAW, np.ones(2), 3, np.random.default_rng(0)),
    "share_covariance": lambda: ccmc.share_covariance(*_mixed_point()),
    "simulate": lambda: ccmc.simulate(P, [0, 1], 100, [0]),
    "single_winners": lambda: ccmc.single_winners(P),
    "stationary_law": lambda: ccmc.stationary_law(P),
    "tempered": lambda: ccmc.tempered(P, 2.0),
    "train": lambda: ccmc.train([_labelled()], [_labelled().chosen], 1),
    "trajectories": lambda: ccmc.trajectories(P, [[0.9, 0.1]], [0.0, 1.0]),
    "transition_of": lambda: ccmc.transition_of(np.eye(2), np.eye(2)),
    "two_token_variance": lambda: ccmc.two_token_variance([[0.1, 0.9], [0.9, 0.1]]),
    "weighted_next": lambda: ccmc.weighted_next(LAW, np.array(0), np.array(P)),
    "weights_of": lambda: ccmc.weights_of(P, np.eye(2)),
    "winner_probability": lambda: ccmc.winner_probability(P, (1, 1), 0),
    "winner_sets": lambda: ccmc.winner_sets(P),
    "wins_of": lambda: ccmc.wins_of(LAST, CHOSEN),
}
BAD_ROW, ABSORBING = [[0.7, 0.4], [0.2, 0.8]], [[1.0, 0.0], [0.0, 1.0]]
REFUSED: dict[str, Callable[[], Any]] = {
    "balance at 1": lambda: ccmc.balance(P, 1.0),
    "balance of no chain": lambda: ccmc.balance(BAD_ROW, 2.0),
    "balance_defect": lambda: ccmc.balance_defect(BAD_ROW),
    "ccmc_next": lambda: ccmc.ccmc_next([1, 1], 0, BAD_ROW),
    "coverage_of": lambda: ccmc.coverage_of(np.array([[1, -1]]), LAST),
    "descent_steps": lambda: ccmc.descent_steps(np.array([0.5]), 1.0, 2.0),
    "existence_of": lambda: ccmc.existence_of(COUNTS, np.array([2]), CHOSEN),
    "fit_rows": lambda: ccmc.fit_rows(COUNTS, np.array([5]), np.array([4]), ccmc.wins_of(LAST, CHOSEN[None])),
    "fixation of zeros": lambda: ccmc.fixation(ABSORBING, [0, 1]),
    "fixation of no window": lambda: ccmc.fixation(P, [0, 2]),
    "fixed_points": lambda: ccmc.fixed_points([[np.nan, 1.0], [0.5, 0.5]]),
    "generate": lambda: ccmc.generate(ccmc.Layer(np.eye(2), np.eye(2), np.eye(2)), np.array([0, 3]), 5, [0]),
    "head_of": lambda: ccmc.head_of(np.array([[1.0, np.nan], [0.0, 1.0]])),
    "local_maxima": lambda: ccmc.local_maxima(np.array(P)),
    "mean_log_prefactor": lambda: ccmc.mean_log_prefactor(np.array([0.7, 0.7]), np.ones(2)),
    "mean_log_prefactor of no prompt": lambda: ccmc.mean_log_prefactor(LAW, np.array([-1.0, 1.0])),
    "neutral_fixation": lambda: ccmc.neutral_fixation([], 2),
    "recency_growth": lambda: ccmc.recency_growth(0.5, -1.0),
    "Ring": lambda: ccmc.Ring(0.5, 0.8, -0.3),
    "ring_of": lambda: ccmc.ring_of(BAD_ROW),
    "single_winners": lambda: ccmc.single_winners(BAD_ROW),
    "stationary_law": lambda: ccmc.stationary_law(ABSORBING),
    "tempered": lambda: ccmc.tempered(P, -1.0),
    "trajectories of no shares": lambda: ccmc.trajectories(P, [[0.9, 0.3]], [1.0]),
    "trajectories backwards": lambda: ccmc.trajectories(P, [[0.9, 0.1]], [1.0, 0.5]),
    "transition_of": lambda: ccmc.transition_of(np.full((2, 2), np.nan), np.eye(2)),
    "two_token_variance": lambda: ccmc.two_token_variance(RING),
    "TwoTokens": lambda: ccmc.TwoTokens(-1.0, 2.0),
    "weighted_next": lambda: ccmc.weighted_next(np.array([1.0, -1.0]), np.array(0), np.array(P)),
    "weights_of zeros": lambda: ccmc.weights_of(ABSORBING, np.eye(2)),
    "weights_of sizes": lambda: ccmc.weights_of(P, np.eye(3)),
    "winner_probability": lambda: ccmc.winner_probability(P, (-1, 1), 1),
}


def _labelled() -> ccmc.Chain:
    return ccmc.draw(ccmc.Params(sequences=((0, 1), (1, 0)) * 2, labels=(0, 1, 1, 0)), 0)


def _mixed_point() -> tuple[Any, ...]:
    chain = np.array([[0.1, 0.9], [0.9, 0.1]])
    found = ccmc.winner_sets(chain)
    return chain, found.shares[0], found.rates[0]


def test_every_public_name_is_called_after_all_imports() -> None:
    for module in pkgutil.walk_packages(ccmc.__path__, "theory.ccmc."):
        import_module(module.name)
    assert set(CALLS) == set(ccmc.__all__)
    for call in CALLS.values():
        call()


def test_every_public_name_is_there_in_a_fresh_process() -> None:
    code = "import theory.ccmc as room; assert all(callable(getattr(room, name)) for name in room.__all__)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_nonsense_is_refused_in_words(call: Callable[[], Any]) -> None:
    with pytest.raises(BenchError):
        call()
