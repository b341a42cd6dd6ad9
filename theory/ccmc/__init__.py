"""Self-attention that feeds on its own output as a context-conditioned Markov chain (arXiv 2402.13512).

The paper's objects are public here and load when they are first used:

>>> from theory.ccmc import ccmc_next
>>> ccmc_next([2, 1], 1, [[0.5, 0.5], [0.25, 0.75]]).round(3).tolist()
[0.4, 0.6]
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Chain": "problem",
    "Params": "parameters",
    "balance": "cures",
    "ccmc_next": "mapping",
    "coverage": "prompt_coverage",
    "coverage_of": "prompt_coverage",
    "draw": "data",
    "existence_of": "existence",
    "fit_report": "own.report",
    "fit_rows": "fitting",
    "fixation": "cures",
    "fixed_points": "winners",
    "from_text": "own.read",
    "generate": "model",
    "generate_text": "simulation.sampling",
    "head_of": "mapping",
    "identifiability_report": "own.read",
    "information_of": "fisher",
    "mle_exists": "existence",
    "move_exponents": "single_trajectory",
    "next_prompts": "prompt_coverage",
    "position_terms": "mapping",
    "position_weights": "mapping",
    "recency_growth": "cures",
    "share_covariance": "fluctuations",
    "simulate": "simulation.sampling",
    "tempered": "simulation.sampling",
    "train": "training",
    "trajectories": "flow",
    "transition_of": "mapping",
    "weights_of": "mapping",
    "winner_probability": "two_tokens",
    "winner_sets": "winners",
}

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'theory.ccmc' has no attribute {name!r}")
    return getattr(import_module(f"theory.ccmc.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
