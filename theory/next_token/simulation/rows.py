"""Training rows: what gradient descent sees of the prompts, as flat arrays that both engines share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.next_token.problem import Prompts, merged
from theory.next_token.schedule import curvature_bound
from theory.shared.training.engine import FloatArray, IntArray

TABLE_LIMIT = 25_000_000


@dataclass(frozen=True, eq=False)
class Layout:
    """Prompts as rows of (token, occurrences), the label first, with equal rows merged.

    Rows whose prompt holds nothing but the label have zero loss and zero gradient and are left out. ``state`` is the
    vector that descends: for orthonormal embeddings one logit per (last, token) pair that occurs, because no other
    logit ever moves; for general embeddings the whole columns of the last tokens that occur.

    Attributes:
        starts: (rows + 1,) first entry of each row.
        nodes: (entries,) position of the entry in the state.
        counts: (entries,) occurrences of the token in the prompt.
        weights: (rows,) multiplicity of the row over the number of all prompts.
        pairs: (state,) ``last * vocab_size + token`` of each state entry.
        active: last tokens with a row, sorted.
        gram: (K, K), or None when the embeddings are orthonormal.
        curvature: bound on the Hessian norm of the mean log-loss in the weights.
    """

    vocab_size: int
    starts: IntArray
    nodes: IntArray
    counts: FloatArray
    weights: FloatArray
    pairs: IntArray
    active: IntArray
    gram: FloatArray | None
    curvature: float

    @property
    def products(self) -> int:
        """Multiply-adds per step in products with the Gram matrix, in the compiled loops that skip zeros."""
        if self.gram is None:
            return 0
        return self.vocab_size * (len(self.active) ** 2 + min(len(self.nodes), len(self.pairs)))

    @property
    def size(self) -> int:
        """Work of one step in entries: a multiply-add costs about 1/50 of an exponential."""
        return max(1, len(self.nodes) + self.products // 50)

    def initial_state(self, initial: FloatArray | None) -> FloatArray:
        """The state at step 0 from initial logits [token, last] (None: zero)."""
        if initial is None:
            return np.zeros(len(self.pairs))
        return initial[self.pairs % self.vocab_size, self.pairs // self.vocab_size].astype(np.float64)


def build_layout(prompts: Prompts) -> Layout:
    """Training rows of the prompts; each label occurs in its prompt, as :func:`make_prompts` guarantees.

    >>> from theory.next_token.problem import make_prompts
    >>> layout = build_layout(make_prompts([[0, 1, 2], [1, 0, 2], [1, 1]], [0, 0, 1]))
    >>> layout.pairs.tolist(), layout.weights.round(3).tolist()
    ([6, 7, 8], [0.667])
    """
    vocab_size, rows = prompts.vocab_size, merged(prompts)
    starts, tokens = rows.counts.indptr.astype(np.int64), rows.counts.indices.astype(np.int64)
    width = np.diff(starts)
    order = _labels_first(starts, tokens, rows.labels)[np.repeat(width > 1, width)]
    kept = np.flatnonzero(width > 1)
    active = np.unique(rows.last[kept])
    entry_pairs = np.repeat(rows.last[kept] * vocab_size, width[kept]) + tokens[order]
    if prompts.is_orthonormal:
        pairs, nodes = _numbered(entry_pairs, active, vocab_size)
        gram = None
    else:
        pairs = (active[:, None] * vocab_size + np.arange(vocab_size)).ravel()
        nodes = np.searchsorted(pairs, entry_pairs)
        gram = np.array(prompts.gram, order="C")
    return Layout(
        vocab_size=vocab_size,
        starts=np.concatenate([np.zeros(1, np.int64), np.cumsum(width[kept])]),
        nodes=nodes.astype(np.int64),
        counts=rows.counts.data[order].astype(np.float64),
        weights=rows.multiplicity[kept] / prompts.n,
        pairs=pairs.astype(np.int64),
        active=active,
        gram=gram,
        curvature=curvature_bound(prompts),
    )


def _labels_first(starts: IntArray, tokens: IntArray, labels: IntArray) -> IntArray:
    """The permutation of the entries that moves each row's label to its front and keeps the others in order."""
    width = np.diff(starts)
    entry = np.arange(len(tokens))
    label_entry = np.flatnonzero(tokens == np.repeat(labels, width))
    before = entry < np.repeat(label_entry, width)
    place = entry + before
    place[label_entry] = starts[:-1]
    order = np.empty_like(place)
    order[place] = entry
    return order


def _numbered(entry_pairs: IntArray, active: IntArray, vocab_size: int) -> tuple[IntArray, IntArray]:
    """Distinct pairs, sorted, and the position of each entry's pair among them."""
    if len(active) * vocab_size > TABLE_LIMIT:
        pairs, nodes = np.unique(entry_pairs, return_inverse=True)
        return pairs, nodes.astype(np.int64)
    # A table of all possible pairs is much faster than sorting the entries.
    column = np.searchsorted(active, np.arange(vocab_size)) * vocab_size
    last, token = np.divmod(entry_pairs, vocab_size)
    local = column[last] + token
    seen = np.zeros(len(active) * vocab_size, dtype=np.bool_)
    seen[local] = True
    number = np.cumsum(seen, dtype=np.int64) - 1
    found = np.flatnonzero(seen)
    return active[found // vocab_size] * vocab_size + found % vocab_size, number[local]
