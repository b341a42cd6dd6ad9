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
    groups = tuple(_groups(prompts, structure))
    for group in groups:
        scores[np.searchsorted(structure.pairs, group.last * prompts.vocab_size + group.tokens)] = group.scores
    loss = sum(group.loss for group in groups) / prompts.n
    return FinitePart(structure, scores, loss, groups, prompts.n)


def _groups(prompts: Prompts, structure: PriorityStructure) -> list[Group]:
    """The fit of each component with at least two tokens."""
    if (structure.pair_size == 1).all():
        return []
    rows, size = merged(prompts), prompts.vocab_size
    numbered = structure.pairs // size * size + structure.pair_component
    home = numbered[np.searchsorted(structure.pairs, rows.last * size + rows.labels)]
    width = np.diff(rows.counts.indptr)
    at = np.searchsorted(structure.pairs, np.repeat(rows.last * size, width) + rows.counts.indices)
    kept = numbered[at] == np.repeat(home, width)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(kept)])[rows.counts.indptr]
    counts = csr_array((rows.counts.data[kept], rows.counts.indices[kept], starts), shape=rows.counts.shape)
    informative = np.flatnonzero(np.diff(starts) > 1)
    order = informative[np.argsort(home[informative], kind="stable")]
    found: list[Group] = []
    for block in np.split(order, np.flatnonzero(np.diff(home[order])) + 1):
        table = counts[block]
        members, positions = np.unique(table.indices.astype(np.int64), return_inverse=True)
        table = csr_array((table.data, positions, table.indptr), shape=(len(block), len(members)))
        chosen, multiplicity = np.searchsorted(members, rows.labels[block]), rows.multiplicity[block]
        fit = fit_choice(table, chosen, multiplicity)
        found.append(Group(int(rows.last[block[0]]), members, table, chosen, multiplicity, fit.scores, fit.loss))
    return found
