"""The finite part: what the weights converge to inside each component (soft composition).

In every prompt delete the tokens outside the component of the label; the finite part is the maximum-likelihood fit of
a choice model to these restricted data. Source: arXiv 2403.08081, claim ``finite-part``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from theory.next_token.graph import PriorityStructure
from theory.next_token.problem import Floats, Integers, Prompts, merged, refuse_dense
from theory.shared.choice import fisher_information, fit_choice, nonzero_spectrum


@dataclass(frozen=True, eq=False)
class Group:
    """Restricted data of one component: ``tokens`` (m,), ``counts`` sparse (r, m), ``chosen`` (r,) as positions in
    ``tokens``, ``multiplicity`` (r,) and the fitted ``scores`` (m,), centred."""

    last: int
    tokens: Integers
    counts: csr_array
    chosen: Integers
    multiplicity: Integers
    scores: Floats
    loss: float

    @property
    def information(self) -> Floats:
        """Hessian of the total loss at the fit, shape (m, m)."""
        return fisher_information(self.counts, self.scores, self.multiplicity)


@dataclass(frozen=True, eq=False)
class FinitePart:
    """Finite scores and the loss that stays.

    ``pair_scores`` (p,) belong to the structure's ``pairs`` and are 0 for tokens that are a component of their own.
    ``irreducible_loss`` is the infimum of the mean log-loss in nats; it is 0 exactly for acyclic data.
    """

    structure: PriorityStructure
    pair_scores: Floats
    irreducible_loss: float
    groups: tuple[Group, ...]
    n: int

    @cached_property
    def fin_scores(self) -> Floats:
        """The scores as an array (K, K) indexed [token, last]; 0 for unseen pairs."""
        size = self.structure.vocab_size
        refuse_dense(8 * size**2, "an array over [token, last]", "use pair_scores")
        table = np.zeros((size, size))
        table[self.structure.pairs % size, self.structure.pairs // size] = self.pair_scores
        return table

    @cached_property
    def _spectra(self) -> tuple[Floats, ...]:
        return tuple(nonzero_spectrum(group.information) / self.n for group in self.groups)

    @property
    def curvature(self) -> float:
        """Smallest non-zero eigenvalue of the Hessian of the restricted mean loss; infinite without components.

        For orthonormal embeddings; :func:`finite_curvature` has the general case.
        """
        return min((float(spectrum[0]) for spectrum in self._spectra), default=np.inf)

    @property
    def condition_number(self) -> float:
        """Largest ratio of Hessian eigenvalues within one component; 1 without components."""
        return max((float(spectrum[-1] / spectrum[0]) for spectrum in self._spectra), default=1.0)


def fit_finite(prompts: Prompts, structure: PriorityStructure) -> FinitePart:
    """Fit the scores of every component with at least two tokens.

    A component joined by a single pair of prompts gives large but finite scores: look at ``condition_number``.

    >>> from theory.next_token.graph import priority_structure
    >>> from theory.next_token.problem import make_prompts
    >>> data = make_prompts([[0, 1, 2]] * 4, [0, 0, 0, 1])
    >>> fit_finite(data, priority_structure(data)).fin_scores[:, 2].round(4)
    array([ 0.5493, -0.5493,  0.    ])
    """
    scores = np.zeros(len(structure.pairs))
    groups = tuple(_fitted(*part) for part in _restricted(prompts, structure))
    for group in groups:
        scores[np.searchsorted(structure.pairs, group.last * prompts.vocab_size + group.tokens)] = group.scores
    loss = sum(group.loss for group in groups) / prompts.n
    return FinitePart(structure, scores, loss, groups, prompts.n)


def finite_constraints(prompts: Prompts, structure: PriorityStructure) -> Floats:
    """Rows vec((e_i - e_j) e_k'), one per token beyond the first of each component: they span the finite subspace.

    Shape (r, dim * dim), row-major like ``weights.ravel()``.

    Raises:
        DataError: ``too_large``, the dense rows would take more than 2e8 bytes.
    """
    pairs = _pairs(structure)
    refuse_dense(8 * len(pairs) * prompts.dim**2, "the basis of the finite subspace", "use an orthonormal embedding")
    first, other, last = pairs.T
    difference = prompts.vectors[first] - prompts.vectors[other]
    return (difference[:, :, None] * prompts.vectors[last][:, None, :]).reshape(len(pairs), prompts.dim**2)


def finite_subspace(prompts: Prompts, structure: PriorityStructure) -> Floats:
    """Orthonormal basis of the finite subspace of weight space, shape (dim * dim, rank)."""
    rows = finite_constraints(prompts, structure)
    if not len(rows):
        return np.zeros((prompts.dim**2, 0))
    left, singular, _ = np.linalg.svd(rows.T, full_matrices=False)
    return left[:, singular > 1e-10 * singular[0]].astype(np.float64)


def w_fin(prompts: Prompts, structure: PriorityStructure, finite: FinitePart) -> Floats:
    """Finite part as weights, shape (dim, dim), for any embedding.

    The least-norm matrix whose score differences inside components are those of ``fin_scores``: the projection on the
    finite subspace of any matrix that has them. Scores then differ across components too, unless E is orthonormal.
    """
    rows = finite_constraints(prompts, structure)
    first, other, last = _pairs(structure).T
    differences = finite.fin_scores[first, last] - finite.fin_scores[other, last]
    if not len(rows):
        return np.zeros((prompts.dim, prompts.dim))
    weights = np.linalg.lstsq(rows, differences, rcond=1e-12)[0]
    return weights.reshape(prompts.dim, prompts.dim).astype(np.float64)


def finite_curvature(prompts: Prompts, structure: PriorityStructure, finite: FinitePart) -> float:
    """Smallest eigenvalue on the finite subspace of the Hessian of the restricted mean loss, for any embedding."""
    if prompts.is_orthonormal:
        return finite.curvature
    basis = finite_subspace(prompts, structure)
    if not basis.shape[1]:
        return np.inf
    cube = basis.reshape(prompts.dim, prompts.dim, -1)
    hessian = np.zeros((cube.shape[2], cube.shape[2]))
    for group in finite.groups:
        slope = np.einsum("jd,deb,e->jb", prompts.vectors[group.tokens], cube, prompts.vectors[group.last])
        hessian += slope.T @ group.information @ slope
    return float(np.linalg.eigvalsh(hessian / finite.n)[0])


Restricted = tuple[int, Integers, csr_array, Integers, Integers]


def _restricted(prompts: Prompts, structure: PriorityStructure) -> list[Restricted]:
    """Restricted data of each component with at least two tokens: last token, tokens, counts, chosen, multiplicity."""
    if (structure.pair_size == 1).all():
        return []
    rows, size = merged(prompts), prompts.vocab_size
    inside = np.flatnonzero(structure.pair_size[np.searchsorted(structure.pairs, rows.last * size + rows.labels)] > 1)
    counts = rows.counts[inside]
    last, labels, multiplicity = rows.last[inside], rows.labels[inside], rows.multiplicity[inside]
    home = structure.pair_component[np.searchsorted(structure.pairs, last * size + labels)]
    widths = np.diff(counts.indptr)
    at = np.searchsorted(structure.pairs, np.repeat(last, widths) * size + counts.indices)
    kept = structure.pair_component[at] == np.repeat(home, widths)
    lengths = np.add.reduceat(kept, counts.indptr[:-1], dtype=np.int64)
    tokens, weights = counts.indices[kept].astype(np.int64), counts.data[kept]
    ends = np.cumsum(lengths)
    group = last * size + home
    order = np.argsort(group, kind="stable")
    blocks = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    return [
        part
        for block in blocks
        if (part := _block(block, lengths, ends, tokens, weights, labels, multiplicity, int(last[block[0]])))
    ]


def _block(
    block: Integers,
    lengths: Integers,
    ends: Integers,
    tokens: Integers,
    weights: Integers,
    labels: Integers,
    multiplicity: Integers,
    last: int,
) -> Restricted:
    informative = block[lengths[block] > 1]
    width = lengths[informative]
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(width)])
    entry: Integers = np.arange(offsets[-1], dtype=np.int64) + np.repeat(
        ends[informative] - width - offsets[:-1], width
    )
    members, position = np.unique(tokens[entry], return_inverse=True)
    table = csr_array((weights[entry], position, offsets), shape=(len(informative), len(members)))
    chosen = np.searchsorted(members, labels[informative])
    return last, members, table, chosen, multiplicity[informative]


def _fitted(last: int, tokens: Integers, counts: csr_array, chosen: Integers, multiplicity: Integers) -> Group:
    fit = fit_choice(counts, chosen, multiplicity)
    return Group(last, tokens, counts, chosen, multiplicity, fit.scores, fit.loss)


def _pairs(structure: PriorityStructure) -> Integers:
    """Rows [first token of a component, another token of it, last token], shape (r, 3)."""
    inside = structure.pair_size > 1
    last, token = np.divmod(structure.pairs[inside], structure.vocab_size)
    key = last * structure.vocab_size + structure.pair_component[inside]
    _, head, component = np.unique(key, return_index=True, return_inverse=True)
    rows = np.stack([token[head][component], token, last], axis=1)
    return rows[rows[:, 0] != rows[:, 1]]
