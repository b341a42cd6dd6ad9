"""The log-loss as a convex function of few coordinates: gradient and Hessian without cancellation.

Measurements only: nothing here knows about graphs, components or margins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from theory.next_token.problem import Prompts, merged

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Block:
    """A part of the loss that can be minimised alone: one last token, or all of them for general embeddings.

    The logits of the pairs ``pairs`` are ``design @ coordinates``; the Euclidean norm of the coordinates is the
    Frobenius norm of the weights.
    """

    pairs: Ints
    """(s,) pairs ``last * vocab_size + token`` whose logits enter this part of the loss."""
    counts: Floats
    """(rows, s) occurrences; zero where a pair is absent from the row."""
    labels: Ints
    """(rows,) position of the label among the pairs."""
    weights: Floats
    """(rows,) multiplicity over the number of all prompts."""
    design: Floats
    """(s, dim)."""
    readout: Floats
    """(K * K, dim): all logits, raveled as [last, token], from the coordinates."""

    def probabilities(self, coordinates: Floats) -> tuple[Floats, Floats]:
        """Probabilities (rows, s), and the same with the label's entry replaced by minus the others' sum."""
        logits = self.design @ coordinates
        present = self.counts > 0
        top = np.where(present, logits, -np.inf).max(axis=1, keepdims=True)
        mass = self.counts * np.exp(np.where(present, logits - top, 0.0))
        rows = np.arange(len(mass))
        total = mass.sum(axis=1, keepdims=True)
        residual = mass / total
        residual[rows, self.labels] = 0.0
        residual[rows, self.labels] = -residual.sum(axis=1)
        return mass / total, residual

    def loss(self, coordinates: Floats) -> float:
        """This block's part of the mean log-loss."""
        chances, residual = self.probabilities(coordinates)
        rows = np.arange(len(chances))
        return float(self.weights @ np.log1p(-residual[rows, self.labels] / chances[rows, self.labels]))

    def derivatives(self, coordinates: Floats) -> tuple[Floats, Floats]:
        """Gradient (dim,) and Hessian (dim, dim) of this block's part of the mean log-loss."""
        chances, residual = self.probabilities(coordinates)
        rows = np.arange(len(chances))
        # The Hessian of a row is a graph Laplacian with edge weights p_i p_j: no 1 - p is ever formed.
        coupling = chances.T @ (self.weights[:, None] * chances)
        np.fill_diagonal(coupling, 0.0)
        rest = -residual[rows, self.labels]
        hessian = -coupling
        others = chances.copy()
        others[rows, self.labels] = 0.0
        spread = others * (1.0 - others)
        spread[rows, self.labels] = rest * chances[rows, self.labels]
        hessian[np.diag_indices(len(hessian))] = self.weights @ spread
        return self.design.T @ (self.weights @ residual), self.design.T @ hessian @ self.design


def blocks(prompts: Prompts) -> list[Block]:
    """Split the loss into parts that share no coordinate of the weights."""
    rows = merged(prompts)
    size = prompts.vocab_size
    weights = rows.multiplicity / prompts.n
    active = np.unique(rows.last)
    groups = [active[i : i + 1] for i in range(len(active))] if prompts.is_orthonormal else [active]
    found: list[Block] = []
    for group in groups:
        mine = np.flatnonzero(np.isin(rows.last, group))
        dense = rows.counts[mine].toarray().astype(np.float64)
        wide = np.zeros((len(mine), len(group) * size))
        start = np.searchsorted(group, rows.last[mine]) * size
        wide[np.arange(len(mine))[:, None], start[:, None] + np.arange(size)] = dense
        kept = np.flatnonzero(wide.any(axis=0))
        readout = _readout(prompts, group, kept)
        pairs = group[kept // size] * size + kept % size
        labels = np.searchsorted(kept, start + rows.labels[mine])
        found.append(Block(pairs, wide[:, kept], labels, weights[mine], readout[pairs], readout))
    return found


def assemble(parts: list[Block], coordinates: list[Floats], vocab_size: int) -> Floats:
    """(..., K, K) logits [token, last] from the coordinates (..., dim) of all blocks."""
    total = sum(point @ block.readout.T for block, point in zip(parts, coordinates, strict=True))
    logits = np.asarray(total, dtype=np.float64)
    return np.swapaxes(logits.reshape(*logits.shape[:-1], vocab_size, vocab_size), -1, -2)


def _readout(prompts: Prompts, group: Ints, kept: Ints) -> Floats:
    size = prompts.vocab_size
    if prompts.is_orthonormal:
        readout = np.zeros((size * size, len(kept)))
        readout[group[0] * size + kept, np.arange(len(kept))] = 1.0
        return readout
    keys = prompts.vectors @ np.linalg.svd(prompts.vectors, full_matrices=False)[2].T
    queries = prompts.vectors @ np.linalg.svd(prompts.vectors[group], full_matrices=False)[2].T
    return np.einsum("ka,jb->kjba", queries, keys).reshape(size * size, -1)
