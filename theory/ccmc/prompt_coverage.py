"""Which log-ratios of the base chain a set of prompts can determine: connected components, one graph per last token.

For a last token k, tokens i and j are joined when some prompt that ends in k has both among its keys. The likelihood
sees only differences of logits within a prompt, so A_ki − A_kj is identifiable iff i and j are connected (arXiv
2402.13512: consistency iff every graph is connected; the statement per component is ours). With c_k components,
isolated tokens included, Σ(c_k − 1) directions stay free and the Fisher information has rank K² − Σ c_k.

When the last token is one of its own keys it is adjacent to every token seen with it: the graph is connected iff every
token occurs in some prompt that ends in k. Several islands need a query that is masked out of its keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from theory.ccmc.design import given_design
from theory.ccmc.problem import Booleans, Floats, Integers, checked_counts


@dataclass(frozen=True, eq=False)
class Coverage:
    """What prompts can determine about a base chain of K tokens.

    ``component`` (K, K)[last, token]: the smallest token of the component. ``seen`` (K, K)[last, token]: how many
    prompts that end in ``last`` have the token among their keys.
    """

    component: Integers
    seen: Integers

    @property
    def vocab_size(self) -> int:
        return len(self.component)

    @cached_property
    def n_components(self) -> Integers:
        """Components c_k of each last token, (K,), isolated tokens included; K for a last token never seen."""
        return np.sum(self.component == np.arange(self.vocab_size), axis=1).astype(np.int64)

    @property
    def n_unidentifiable(self) -> int:
        """Number of independent directions Σ(c_k − 1) in log P that no amount of such data can determine."""
        return int(np.sum(self.n_components - 1))

    @property
    def rank(self) -> int:
        """Rank K² − Σ c_k of the Fisher information; K(K − 1) when everything is identifiable."""
        return int(self.vocab_size**2 - self.n_components.sum())

    @cached_property
    def known(self) -> Booleans:
        """(K, K, K)[last, token, other]: whether log P[last, token] / P[last, other] is identifiable."""
        return self.component[:, :, None] == self.component[:, None, :]

    def components(self, last: int) -> tuple[tuple[int, ...], ...]:
        """The components of one last token as tuples of tokens, by their smallest token."""
        labels = self.component[last]
        return tuple(tuple(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels))

    def identifies(self, counts: Integers, last: Integers) -> Booleans:
        """Whether the next-token law of new prompts is identifiable: their keys lie in one component.

        Shapes: ``counts`` (n, K) of the keys, ``last`` (n,); result (n,).
        """
        labels, present = self.component[last], counts > 0
        lowest = np.where(present, labels, self.vocab_size).min(axis=-1)
        return lowest >= np.where(present, labels, -1).max(axis=-1)


@dataclass(frozen=True)
class Suggestion:
    """A prompt worth collecting: ``tokens``, then ``last`` at the end; it settles ``gain`` unknowns."""

    last: int
    tokens: tuple[int, ...]
    gain: int


def coverage_of(counts: Integers, last: Integers) -> Coverage:
    """Coverage by prompts given as key counts (n, K) with last tokens (n,); repetitions change nothing but ``seen``.

    One sparse graph on all (last, token) nodes, each key joined with the first key of its prompt: O(Σ L), not O(Σ L²).

    Raises:
        DataError: as :func:`~theory.ccmc.problem.checked_counts`.

    >>> coverage_of(np.array([[1, 1, 0]]), np.array([0])).component.tolist()
    [[0, 0, 2], [0, 1, 2], [0, 1, 2]]
    """
    n, size = len(counts), counts.shape[1]
    checked_counts(counts, last, size)
    present = counts > 0
    node: Integers = last * size + present.argmax(axis=1).astype(np.int64)
    by_node = csr_array((np.ones(n), (node, np.arange(n, dtype=np.int64))), shape=(size**2, n))
    together: Floats = np.asarray(by_node @ present.astype(np.float64), dtype=np.float64)
    start, token = np.argwhere(together > 0).astype(np.int64).T
    graph = csr_array((np.ones(len(start)), (start, start // size * size + token)), shape=(size**2, size**2))
    labels: Integers = np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
    smallest: Integers = np.asarray(np.unique(labels, return_index=True)[1], dtype=np.int64)
    component: Integers = smallest[labels].reshape(size, size) - size * np.arange(size, dtype=np.int64)[:, None]
    seen = together.reshape(size, size, size).sum(axis=1)
    return Coverage(component, seen.astype(np.int64))


def coverage(sequences: Sequence[Sequence[int]], vocab_size: int, *, include_self: bool = True) -> Coverage:
    """Coverage by prompts given as lists of token ids; without ``include_self`` the last token is no key of its own.

    Raises:
        DataError: no prompt, an empty prompt, or a token outside the vocabulary; the row is named.

    >>> islands = [[0, 1, 4], [2, 3, 4]]
    >>> coverage(islands, 5).components(4), coverage(islands, 5, include_self=False).components(4)
    (((0, 1, 2, 3, 4),), ((0, 1), (2, 3), (4,)))
    """
    design = given_design(sequences, None, vocab_size, include_self=include_self)
    return coverage_of(design.counts, design.last)


def next_prompts(found: Coverage, longest: int | None = None, *, include_self: bool = True) -> tuple[Suggestion, ...]:
    """One prompt per last token that is not connected yet, the most valuable first.

    A prompt with one token of each component joins them all; ``longest`` (last token included) limits how many. From
    each component it takes the token seen most often, because frequent tokens are the easiest to come by.
    """
    suggestions: list[Suggestion] = []
    for k in np.flatnonzero(found.n_components > 1).tolist():
        groups = sorted(found.components(k), key=lambda tokens: (-len(tokens), tokens))
        if include_self:  # the last token stands for its own component
            groups = [tokens for tokens in groups if k not in tokens]
        groups = groups[: len(groups) if longest is None else max(longest - 1, 0)]
        tokens = tuple(max(tokens, key=lambda token: found.seen[k, token]) for tokens in groups)
        gain = len(tokens) if include_self else len(tokens) - 1
        if gain > 0:
            suggestions.append(Suggestion(k, tokens, gain))
    return tuple(sorted(suggestions, key=lambda suggestion: -suggestion.gain))
