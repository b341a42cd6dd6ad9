"""Theorem Bench as a library: predict what a theorem says, and test it against models trained on the spot.

>>> import theory
>>> theory.claim("next_token/loss-gap").kind
'extension'
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
