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
    "Chain": "chain",
    "Params": "parameters",
    "balance": "cures",
    "ccmc_next": "attention",
    "coverage": "coverage",
    "coverage_of": "coverage",
    "draw": "data",
    "existence_of": "existence",
    "fit_report": "fit_report",
    "fit_rows": "fitting",
    "fixation": "cures",
    "fixed_points": "winners",
    "from_text": "own_data",
    "generate": "model",
    "generate_text": "sampling",
    "head_of": "attention",
    "identifiability_report": "own_data",
    "information_of": "fisher",
    "mle_exists": "existence",
    "move_exponents": "single_trajectory",
    "next_prompts": "coverage",
    "position_terms": "attention",
    "position_weights": "attention",
    "recency_growth": "cures",
    "share_covariance": "fluctuations",
    "simulate": "sampling",
    "tempered": "sampling",
    "train": "training",
    "trajectories": "flow",
    "transition_of": "attention",
    "weights_of": "attention",
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
