"""The finite subspace straight from the definition: what measurements use in place of the theory's graphs.

Two tokens are in one component when each reaches the other; the finite subspace is the span of ``(e_i - e_j) e_k'``
for i, j in one component of last token k (arXiv 2403.08081).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from theory.core.errors import ParameterError
from theory.next_token.model import logits_of, weights_of
from theory.next_token.problem import Prompts, refuse_dense

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def reachability(prompts: Prompts, last: int) -> Bools:
    """(K, K) whether there is a path from one token to another in the graph of one last token; each reaches itself."""
    reach = np.eye(prompts.vocab_size, dtype=np.bool_)
    for row in np.flatnonzero(prompts.last == last).tolist():
        reach[prompts.labels[row], prompts.sequence(row)] = True
    for middle in np.flatnonzero(reach.sum(axis=1) > 1).tolist():
        reach |= np.outer(reach[:, middle], reach[middle])
    return reach


def finite_projection(prompts: Prompts, logits: Floats) -> Floats:
    """(..., K, K) logits [token, last] of the projection of the weights on the finite subspace.

    For orthonormal embeddings each logit minus the mean of its component, zero for unseen pairs.
    """
    size = prompts.vocab_size
    if logits.shape[-2:] != (size, size):
        raise ParameterError("logits", f"array of shape {logits.shape}", f"logits of shape (..., {size}, {size})")
    if prompts.is_orthonormal:
        found = np.zeros_like(logits)
        for last in np.unique(prompts.last).tolist():
            found[..., last] = logits[..., last] @ _differences(prompts, last)
        return found
    basis = finite_subspace(prompts)
    weights = weights_of(logits, prompts.vectors)
    flat = weights.reshape(*weights.shape[:-2], -1)
    return logits_of(((flat @ basis) @ basis.T).reshape(weights.shape), prompts.vectors)


def finite_subspace(prompts: Prompts) -> Floats:
    """Orthonormal basis of the finite subspace, shape (dim * dim, rank), row-major like ``weights.ravel()``.

    Raises:
        DataError: ``too_large``, the dense rows would take more than 2e8 bytes.
    """
    rows = [np.zeros((0, prompts.dim, prompts.dim))]
    for last in np.unique(prompts.last).tolist():
        keys = _differences(prompts, last)
        keys = keys[keys.any(axis=1)] @ prompts.vectors
        rows.append(keys[:, :, None] * prompts.vectors[last])
        refuse_dense(8 * prompts.dim**2 * sum(map(len, rows)), "the basis of the finite subspace", "use fewer tokens")
    left, singular, _ = np.linalg.svd(np.concatenate(rows).reshape(-1, prompts.dim**2).T, full_matrices=False)
    return left[:, singular > 1e-10 * singular.max(initial=0.0)].astype(np.float64)


def _differences(prompts: Prompts, last: int) -> Floats:
    """(K, K) symmetric: takes from each entry the mean over the component of its token."""
    reach = reachability(prompts, last)
    same = (reach & reach.T).astype(np.float64)
    return np.eye(len(same)) - same / same.sum(axis=1)
