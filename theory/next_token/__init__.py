"""What one self-attention layer learns from next-token prediction (arXiv 2403.08081), and what it has learnt by step t.

The paper's objects are public here and load when they are first used:

>>> from theory.next_token import automaton_next
>>> automaton_next([[0, 2], [1, 2]], [0, 2], labels=[0, 1]).certificate
'comparable'
"""

from theory.core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
