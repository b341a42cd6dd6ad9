"""In-context linear estimation (arXiv 2407.10005): what one layer of linear attention or H3 learns.

One layer of linear attention does as well as the best preconditioned gradient step on the prompt, and one layer of H3
as the best step on weighted examples. That best step, and its risk, are known without training:

>>> from theory.icl import independent_optimum, rag_crossover
>>> risk, weights, gain = independent_optimum([2.0, 1.0], n=20, sigma2=0.25)
>>> round(float(risk), 3)
0.657
>>> round(float(rag_crossover(5, 0.9, 0.0)), 2)  # beyond so many examples retrieval hurts
21.47
"""

from theory.core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
