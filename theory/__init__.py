"""Theorem Bench as a library: predict what a theorem says, and test it against models trained on the spot.

>>> import theory
>>> theory.claim("next_token/loss-gap").kind
'extension'
"""

from theory.core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
