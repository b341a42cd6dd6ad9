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

        For orthonormal embeddings; :meth:`theory.next_token.svm_general.Geometry.curvature` has the general case.
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
