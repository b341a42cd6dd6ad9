"""The priority graphs seen from far: one node per strongly connected component, for all last tokens at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order

from theory.next_token.problem import Prompts, refuse_dense

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Condensation:
    """Components of all priority graphs, numbered by last token and then from the top of the order.

    Only tokens seen with a last token are part of its graph. ``edges`` joins every two components of which the upper
    one won against the lower one in some prompt (transitive edges included: they never bind).
    """

    vocab_size: int
    pairs: Ints
    """(p,) sorted seen pairs ``last * vocab_size + token``."""
    scc: Ints
    """(p,) component of each pair."""
    column: Ints
    """(c,) last token of each component."""
    size: Ints
    """(c,) number of tokens."""
    scores: Floats
    """(p,) finite scores f of the pairs, mean zero in each component."""
    edges: Ints
    """(m, 2) upper and lower component, sorted."""
    weights: Floats
    """(m,) effective edge weights a_AB: how strongly the data push the two components apart."""

    @property
    def n_components(self) -> int:
        return len(self.size)

    @property
    def tokens(self) -> Ints:
        """(p,) token of each seen pair."""
        return self.pairs % self.vocab_size

    @property
    def last(self) -> Ints:
        """(p,) last token of each seen pair."""
        return self.pairs // self.vocab_size

    @cached_property
    def columns(self) -> Ints:
        """Last tokens that have data, ascending."""
        return np.unique(self.column)

    @cached_property
    def scc_starts(self) -> Ints:
        """(K + 1,) components of last token k are ``scc_starts[k]:scc_starts[k + 1]``."""
        return np.searchsorted(self.column, np.arange(self.vocab_size + 1))

    @cached_property
    def edge_starts(self) -> Ints:
        """(K + 1,) edges of last token k are ``edge_starts[k]:edge_starts[k + 1]``."""
        return np.searchsorted(self.column[self.edges[:, 0]], np.arange(self.vocab_size + 1))

    @cached_property
    def _successors(self) -> csr_array:
        shape = (self.n_components, self.n_components)
        ones = np.ones(len(self.edges), dtype=np.int8)
        return csr_array((ones, (self.edges[:, 0], self.edges[:, 1])), shape=shape)

    @cached_property
    def _reached(self) -> dict[int, frozenset[int]]:
        return {}

    def reaches(self, upper: int) -> frozenset[int]:
        """Components below ``upper`` and itself; remembered, so that repeated questions cost a look-up."""
        if upper not in self._reached:
            order = breadth_first_order(self._successors, upper, return_predecessors=False)
            self._reached[upper] = frozenset(int(scc) for scc in order)
        return self._reached[upper]

    def scc_of(self, last: int, tokens: Ints) -> Ints:
        """Components of ``tokens`` in the graph of ``last``; -1 for a token never seen with it."""
        if len(self.pairs) == 0:
            return np.full(len(tokens), -1, dtype=np.int64)
        wanted = last * self.vocab_size + tokens
        position = np.minimum(np.searchsorted(self.pairs, wanted), len(self.pairs) - 1)
        return np.where(self.pairs[position] == wanted, self.scc[position], -1)

    def dense(self, pair_values: Floats, fill: float = 0.0) -> Floats:
        """Spread values of the seen pairs over an array [token, last]; ``fill`` for unseen pairs.

        Raises:
            DataError: ``too_large`` when the array would not fit.
        """
        refuse_dense(8.0 * self.vocab_size**2, "an array [token, last]", "ask for single last tokens")
        values = np.full((self.vocab_size, self.vocab_size), fill)
        values[self.tokens, self.last] = pair_values
        return values

    def restricted(self, last: int) -> Condensation:
        """The condensation of one last token alone."""
        pairs = slice(*np.searchsorted(self.pairs, [last * self.vocab_size, (last + 1) * self.vocab_size]))
        nodes = slice(self.scc_starts[last], self.scc_starts[last + 1])
        edges = slice(self.edge_starts[last], self.edge_starts[last + 1])
        return Condensation(
            vocab_size=self.vocab_size,
            pairs=self.pairs[pairs],
            scc=self.scc[pairs] - nodes.start,
            column=self.column[nodes],
            size=self.size[nodes],
            scores=self.scores[pairs],
            edges=self.edges[edges] - nodes.start,
            weights=self.weights[edges],
        )

    def component_means(self, logits: Floats) -> Floats:
        """(..., p): for each seen pair the mean of ``logits[..., token, last]`` over its component."""
        values = logits[..., self.tokens, self.last]
        flat = values.reshape(-1, len(self.pairs))
        sums = np.stack([np.bincount(self.scc, row, minlength=self.n_components) for row in flat])
        return (sums / self.size)[:, self.scc].reshape(values.shape)


def condense(prompts: Prompts, pairs: Ints, component: Ints, scores: Floats) -> Condensation:
    """Collapse the components of all priority graphs and weigh the edges between them.

    The weight of an edge A -> B is the residual pull of the training data across it,
    ``a_AB = 1/n sum_{i: label in A} (sum_{j in B} c_ij e^{f_j}) / (sum_{j in A} c_ij e^{f_j})`` (ours).

    Args:
        pairs: (p,) sorted seen pairs ``last * vocab_size + token``.
        component: (p,) component number of each pair within its last token, from the top of the order.
        scores: (p,) finite scores f, mean zero in each component.
    """
    key = (pairs // prompts.vocab_size) * prompts.vocab_size + component
    unique, scc, size = np.unique(key, return_inverse=True, return_counts=True)
    scc, size, n_scc = scc.astype(np.int64), size.astype(np.int64), len(unique)
    row = np.repeat(np.arange(prompts.n), prompts.lengths)
    at = np.searchsorted(pairs, prompts.last[row] * prompts.vocab_size + prompts.tokens)
    top = scc[np.searchsorted(pairs, prompts.last * prompts.vocab_size + prompts.labels)]
    mass, token_scc = np.exp(scores[at]), scc[at]
    own = token_scc == top[row]
    inside = np.bincount(row, mass * own, minlength=prompts.n)
    pull = (mass / inside[row] / prompts.n)[~own]
    matrix = coo_array((pull, (top[row[~own]], token_scc[~own])), shape=(n_scc, n_scc)).tocsr()
    matrix.sort_indices()
    upper = np.repeat(np.arange(n_scc), np.diff(matrix.indptr))
    return Condensation(
        vocab_size=prompts.vocab_size,
        pairs=pairs,
        scc=scc,
        column=(unique // prompts.vocab_size).astype(np.int64),
        size=size,
        scores=scores,
        edges=np.column_stack([upper, matrix.indices]).astype(np.int64),
        weights=np.asarray(matrix.data, dtype=np.float64),
    )
