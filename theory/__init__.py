"""Theorem Bench as a library: predict what a theorem says, and test it against models trained on the spot.

>>> import theory
>>> theory.claim("loss-gap").kind
'extension'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from theory.core.bench import check, predict
    from theory.core.catalog import claim, claims, room, rooms

__all__ = ["check", "claim", "claims", "predict", "room", "rooms"]

_HOME = {"check": "bench", "predict": "bench", "claim": "catalog", "claims": "catalog", "room": "catalog"}


def __getattr__(name: str) -> Any:
    """Load the public functions when they are first used, so that ``import theory`` stays light."""
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module 'theory' has no attribute {name!r}")
    return getattr(import_module(f"theory.core.{_HOME.get(name, 'catalog')}"), name)
