"""Everything the theory says about one problem, composed once: graph, finite part, Graph-SVM and offsets."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError
from theory.next_token.condensation import Condensation, condense
from theory.next_token.finite import FinitePart, fit_finite
from theory.next_token.graph import PriorityStructure, priority_structure
from theory.next_token.offsets import Offsets, solve_offsets, solve_offsets_general
from theory.next_token.problem import Prompts
from theory.next_token.svm import GraphSVM, solve_graph_svm
from theory.next_token.svm_general import Geometry, solve_general

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_MANY_EDGES = 20_000
_REMEMBERED = 64


@dataclass(frozen=True, eq=False)
class Solution:
    """The automaton and the asymptotics of one problem; arrays are [token, last] unless said otherwise.

    What needs more than the graph and the finite part is computed when first asked for, so that data too large for
    dense arrays still have their automaton.
    """

    prompts: Prompts
    structure: PriorityStructure
    finite: FinitePart
    condensation: Condensation
    geometry: Geometry | None
    """Coordinates of the weights for general embeddings; None when the embeddings are orthonormal."""
    _parts: dict[int, Solution] = field(default_factory=dict[int, "Solution"], repr=False)

    @property
    def irreducible_loss(self) -> float:
        """Infimum of the training loss in nats."""
        return self.finite.irreducible_loss

    @cached_property
    def curvature(self) -> float:
        """Smallest curvature of the restricted loss on the finite subspace; infinity when the subspace is zero."""
        if self.geometry is None:
            return self.finite.curvature
        return self.geometry.curvature(self.finite.groups, self.finite.n)

    @cached_property
    def _solved(self) -> tuple[Floats | None, GraphSVM]:
        if self.geometry is not None:
            return solve_general(self.geometry)
        return None, solve_graph_svm(self.condensation.edges, self.condensation.size)

    @cached_property
    def feasible(self) -> bool:
        """Whether some matrix gives every priority a positive margin; only dependent embeddings can prevent it."""
        try:
            return self.geometry is None or bool(np.isfinite(self.svm.norm_squared))
        except DataError:
            return False

    @property
    def svm(self) -> GraphSVM:
        """Graph-SVM over components and edges of ``condensation``, with its certificate.

        Raises:
            DataError: ``no_separating_direction`` (dependent embeddings only).
        """
        return self._solved[1]

    @property
    def has_direction(self) -> bool:
        """Whether W_svm exists and is not zero."""
        return self.feasible and self.svm.norm_squared > 0

    @cached_property
    def offset_solution(self) -> Offsets:
        """Offsets, support and selected multipliers over components and edges of ``condensation``."""
        weights, svm = self._solved
        if self.geometry is None or weights is None:
            return solve_offsets(self.condensation, svm)
        return solve_offsets_general(self.geometry, weights, svm)

    @property
    def weights_svm(self) -> Floats:
        """W_svm in coordinates in which the Euclidean norm is the Frobenius norm of the weights."""
        weights, svm = self._solved
        return np.sqrt(self.condensation.size) * svm.levels if weights is None else weights

    @property
    def weights_offset(self) -> Floats:
        """W-tilde in the coordinates of :attr:`weights_svm`."""
        found = self.offset_solution
        return np.sqrt(self.condensation.size) * found.offsets if found.vector is None else found.vector

    @cached_property
    def drift(self) -> Floats:
        """(c,) log-log levels: in degenerate columns a component also moves by ``drift * log(log_time)``.

        Support blocks joined by degenerate edges pull at each other with a force ``exp(-gap)`` that no multiplier
        balances; in the variable log(log_time) they obey the Graph-SVM again, with a block for a component (ours).
        """
        graph, found = self.condensation, self.offset_solution
        sizes = np.bincount(found.blocks, graph.size).astype(np.int64)
        edges = found.blocks[self.degenerate_edges]
        return solve_graph_svm(edges, sizes).levels[found.blocks]

    @cached_property
    def levels(self) -> Floats:
        """Slopes z of the logits in log-time."""
        weights, svm = self._solved
        if self.geometry is None or weights is None:
            return self.condensation.dense(svm.levels[self.condensation.scc])
        return self.geometry.logits(weights)

    @property
    def known_levels(self) -> Floats:
        """The levels; NaN where no matrix meets the margins."""
        return self.levels if self.feasible else np.full((self.prompts.vocab_size,) * 2, np.nan)

    @property
    def support(self) -> Ints:
        """(s, 2) upper and lower component of each edge with a positive multiplier; none where there is no W_svm."""
        if not self.feasible:
            return np.zeros((0, 2), dtype=np.int64)
        return self.condensation.edges[self.offset_solution.support]

    @cached_property
    def offsets(self) -> Floats:
        """Offsets z-tilde of the logits."""
        found = self.offset_solution
        if self.geometry is None or found.vector is None:
            return self.condensation.dense(found.offsets[self.condensation.scc])
        return self.geometry.logits(found.vector)

    @cached_property
    def fin_scores(self) -> Floats:
        """Finite scores f = E W_fin E^T: mean zero in each component for orthonormal embeddings."""
        if self.geometry is None:
            return self.condensation.dense(self.condensation.scores)
        return self.geometry.logits(self.geometry.finite_part)

    @cached_property
    def component(self) -> Ints:
        """Component of each pair, numbered over all last tokens; -1 for unseen pairs."""
        return self.condensation.dense(self.condensation.scc.astype(np.float64), fill=-1.0).astype(np.int64)

    @cached_property
    def component_size(self) -> Ints:
        """Tokens in the component of each pair; 0 for unseen pairs."""
        graph = self.condensation
        return graph.dense(graph.size[graph.scc].astype(np.float64)).astype(np.int64)

    @cached_property
    def seen(self) -> Bools:
        """Whether the token occurs in a prompt with that last token."""
        return self.component >= 0

    @cached_property
    def degenerate(self) -> Bools:
        """(K,) last tokens with a tight edge that carries no multiplier: the sharp laws do not apply there."""
        found, flags = self.offset_solution, np.zeros(self.prompts.vocab_size, dtype=np.bool_)
        graph = self.condensation
        flags[graph.column[graph.edges[found.tight & ~found.support, 0]]] = True
        return flags

    @cached_property
    def connected(self) -> Bools:
        """(K,) last tokens whose support edges join all seen components: every logit of the column is predicted."""
        graph, blocks = self.condensation, self.offset_solution.blocks
        first = blocks[graph.scc_starts[graph.column]]
        flags = np.ones(self.prompts.vocab_size, dtype=np.bool_)
        flags[graph.column[blocks != first]] = False
        return flags

    @property
    def strict_complementarity(self) -> bool:
        """Whether some optimal multipliers are positive on every tight edge."""
        return not bool(self.degenerate.any())

    @property
    def degenerate_edges(self) -> Ints:
        """(r, 2) tight edges whose multiplier is zero in every optimal solution."""
        found = self.offset_solution
        return self.condensation.edges[found.tight & ~found.support]

    @property
    def acyclic(self) -> bool:
        """Whether every component is a single token: the finite part is zero."""
        return bool((self.condensation.size == 1).all())

    @property
    def exponent(self) -> Floats:
        """(K,) relaxation exponent: errors of the predicted logits fall like (step size * steps)^-exponent."""
        return self.offset_solution.exponent

    def part(self, last: int) -> Solution:
        """What one last token needs: this solution, or for large data a solution of that column alone."""
        if self.geometry is not None or len(self.condensation.edges) <= _MANY_EDGES:
            return self
        if last not in self._parts:
            self._parts[last] = replace(self, condensation=self.condensation.restricted(last), _parts={})
        return self._parts[last]


def compose(prompts: Prompts) -> Solution:
    """Compute the solution of a problem; :func:`solve` remembers it.

    Raises:
        DataError: ``too_large``, the vocabulary has more than 5000 tokens.
    """
    structure = priority_structure(prompts)
    finite = fit_finite(prompts, structure)
    graph = condense(prompts, structure.pairs, structure.pair_component, finite.pair_scores)
    geometry = None
    if not prompts.is_orthonormal and prompts.embed is not None:
        geometry = Geometry(prompts.embed, graph)
    return Solution(prompts, structure, finite, graph, geometry)


_remembered: OrderedDict[str, Solution] = OrderedDict()
_lock = threading.Lock()


def solve(prompts: Prompts) -> Solution:
    """The solution of a problem, remembered by content: all claims and figures of one problem share it.

    Thread-safe; the 64 most recent problems are kept.
    """
    key = prompts.fingerprint
    with _lock:
        found = _remembered.get(key)
        if found is not None:
            _remembered.move_to_end(key)
            return found
    found = compose(prompts)
    with _lock:
        _remembered[key] = found
        while len(_remembered) > _REMEMBERED:
            _remembered.popitem(last=False)
    return found
