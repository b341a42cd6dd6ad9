"""Self-attention that feeds on its own output as a context-conditioned Markov chain (arXiv 2402.13512).

The paper's objects are public here and load when they are first used:

>>> from theory.ccmc import ccmc_next
>>> ccmc_next([2, 1], 1, [[0.5, 0.5], [0.25, 0.75]]).round(3).tolist()
[0.4, 0.6]
"""

from theory.core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
