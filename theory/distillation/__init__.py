"""The best teacher is not the truth: risks of students trained on surrogate labels (arXiv 2410.18837).

The paper's objects are public here and load when they are first used:

>>> import numpy as np
>>> from theory.distillation import optimal_mask, stats
>>> index = np.arange(1.0, 501.0)
>>> optimal_mask(stats(index**-2.0, 200))  # the best 0-1 teacher knows 203 of 500 features
203
"""

from theory.core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
