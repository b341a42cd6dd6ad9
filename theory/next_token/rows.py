"""Training rows: what gradient descent sees of the prompts, as flat arrays that both engines share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.next_token.prompts import Prompts, merged
from theory.training import FloatArray, IntArray


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
        """Multiply-adds per step in products with the Gram matrix."""
        return 0 if self.gram is None else 2 * len(self.active) * self.vocab_size**2

    @property
    def size(self) -> int:
        """Work of one step in entries: a multiply-add costs about 1/20 of an exponential."""
        return max(1, len(self.nodes) + self.products // 20)

    def initial_state(self, initial: FloatArray | None) -> FloatArray:
        """The state at step 0 from initial logits [token, last] (None: zero)."""
        if initial is None:
            return np.zeros(len(self.pairs))
        return initial[self.pairs % self.vocab_size, self.pairs // self.vocab_size].astype(np.float64)


def curvature_bound(prompts: Prompts) -> float:
    """beta = 0.5 ||G||_2^2 max_k n_k / n: gradient descent on the mean log-loss is monotone for steps up to 1/beta.

    A softmax Hessian has norm at most 1/2. Source: ours.
    """
    largest = np.bincount(prompts.last).max() / prompts.n
    norm = 1.0 if prompts.is_orthonormal else float(np.linalg.norm(prompts.gram, 2))
    return 0.5 * norm**2 * float(largest)


def build_layout(prompts: Prompts) -> Layout:
    """Training rows of the prompts; each label occurs in its prompt, as :func:`make_prompts` guarantees.

    >>> from theory.next_token.prompts import make_prompts
    >>> layout = build_layout(make_prompts([[0, 1, 2], [1, 0, 2], [1, 1]], [0, 0, 1]))
    >>> layout.pairs.tolist(), layout.weights.round(3).tolist()
    ([6, 7, 8], [0.667])
    """
    vocab_size, rows = prompts.vocab_size, merged(prompts)
    row, token = np.repeat(np.arange(len(rows.labels)), np.diff(rows.counts.indptr)), rows.counts.indices
    informative = np.diff(rows.counts.indptr)[row] > 1
    # Stable sort: the label moves to the front of its row, the other tokens stay in order.
    order = np.lexsort((token != rows.labels[row], row))
    order = order[informative[order]]
    row, token = row[order], token[order].astype(np.int64)
    kept, width = np.unique(row, return_counts=True)
    active = np.unique(rows.last[kept])
    entry_pairs = rows.last[row] * vocab_size + token
    if prompts.is_orthonormal:
        pairs, nodes = np.unique(entry_pairs, return_inverse=True)
        gram = None
    else:
        pairs = (active[:, None] * vocab_size + np.arange(vocab_size)).ravel()
        nodes = np.searchsorted(pairs, entry_pairs)
        gram = np.array(prompts.gram, order="C")
    return Layout(
        vocab_size=vocab_size,
        starts=np.concatenate([np.zeros(1, np.int64), np.cumsum(width)]),
        nodes=nodes.astype(np.int64),
        counts=rows.counts.data[order].astype(np.float64),
        weights=rows.multiplicity[kept] / prompts.n,
        pairs=pairs.astype(np.int64),
        active=active,
        gram=gram,
        curvature=curvature_bound(prompts),
    )
