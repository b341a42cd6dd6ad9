"""What one self-attention layer learns from next-token prediction (arXiv 2403.08081), and what it has learnt by step t.

The paper's objects are public here and load when they are first used:

>>> from theory.next_token import automaton_next
>>> automaton_next([[0, 2], [1, 2]], [0, 2], labels=[0, 1]).certificate
'comparable'
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Params": "parameters",
    "Prompts": "problem",
    "Solution": "structure",
    "add_contradictions": "generators",
    "as_prompts": "interface",
    "automaton_next": "interface",
    "chain_levels": "svm",
    "condensation_graph": "graph_export",
    "descend": "simulation.descent",
    "effect_of_removal": "contradiction",
    "extract": "extraction",
    "fit_finite": "interface",
    "from_text": "own.windows",
    "generate": "automaton",
    "log_time_flow": "simulation.flow",
    "make_prompts": "problem",
    "newton_path": "simulation.regularisation",
    "planted": "generators",
    "predicted_logits": "sharp",
    "priority_graph": "graph",
    "priority_structure": "interface",
    "ranked_noise": "generators",
    "shortest_contradictions": "contradiction",
    "solve": "structure",
    "solve_graph_svm": "interface",
    "star_levels": "svm",
    "train_attention": "training",
    "w_fin": "finite",
}

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'theory.next_token' has no attribute {name!r}")
    return getattr(import_module(f"theory.next_token.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
