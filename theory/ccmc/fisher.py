"""Fisher information of the base chain on given prompts: how precise an estimate can be, and how fast training is.

Per prompt, row k of log P has information H_k = mean over prompts of 1{x_L = k} (diag π − π πᵀ), and

    n E|Â − A|² → Σ_k tr H_k⁺,   2n E KL(π* ‖ π̂) → Σ_k rank H_k      (ours; the paper's rate, arXiv 2402.13512, is K²/n)

for logits A = log P, centred within each component of the prompts. The next-token law is linear in W's logits, so the
same blocks give the error of W and the curvature that gradient descent feels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from theory.ccmc.mapping import gram_of, weighted_next
from theory.ccmc.problem import Chain, Floats, Integers
from theory.ccmc.prompt_coverage import Coverage, coverage_of
from theory.core.errors import ParameterError


def fisher_blocks(counts: Floats | Integers, last: Integers, weight: Floats | Integers, transition: Floats) -> Floats:
    """Information per prompt about each row of log P, (K, K, K)[last, token, token], for any key weights ``counts``.

    Shapes: ``counts`` (U, K), ``last`` (U,), ``weight`` (U,) how often each prompt occurs; ``transition`` (K, K). A
    prompt after which P allows nothing carries no information.
    """
    size = len(transition)
    law = np.nan_to_num(weighted_next(np.asarray(counts, dtype=np.float64), last, transition))
    share = weight / weight.sum()
    blocks = np.zeros((size, size, size))
    for k in range(size):
        rows = np.flatnonzero(last == k)
        scaled = law[rows] * np.sqrt(share[rows])[:, None]
        blocks[k] = np.diag(share[rows] @ law[rows]) - scaled.T @ scaled
    return blocks


@dataclass(frozen=True, eq=False)
class Information:
    """Fisher information per prompt, ``blocks`` (K, K, K), with what the prompts can determine at all.

    ``spectrum`` (K, K)[last, index]: eigenvalues of each block, descending; those beyond ``rank`` of the row are 0.
    """

    blocks: Floats
    covered: Coverage

    @cached_property
    def ranks(self) -> Integers:
        """Identifiable directions of each row, (K,): K minus the number of its components."""
        return np.asarray(len(self.blocks) - self.covered.n_components, dtype=np.int64)

    @property
    def rank(self) -> int:
        return self.covered.rank

    @cached_property
    def _eigen(self) -> tuple[Floats, Floats]:
        values, vectors = np.linalg.eigh(self.blocks)
        values, vectors = values[:, ::-1], vectors[:, :, ::-1]
        keep = np.arange(len(values)) < self.ranks[:, None]
        # The rank is known from the prompts; the floor only keeps logs of vanishing probabilities finite.
        floor = 1e-300 + 1e-15 * float(values.max(initial=0.0))
        return np.where(keep, np.maximum(values, floor), 0.0), vectors

    @property
    def spectrum(self) -> Floats:
        return self._eigen[0]

    @cached_property
    def inverse(self) -> Floats:
        """Pseudo-inverse of each block, (K, K, K): n times the covariance of each row's estimated logits."""
        values, vectors = self._eigen
        scaled = vectors * np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)[:, None, :]
        return scaled @ np.swapaxes(vectors, 1, 2)

    @cached_property
    def variances(self) -> Floats:
        """Limits of n times the variance along each identifiable direction, (rank,), ascending."""
        return np.sort(1 / self.spectrum[self.spectrum > 0])

    @property
    def constant(self) -> float:
        """The limit of n E|Â − A|² in nats²: the trace of the pseudo-inverse."""
        return float(self.variances.sum())

    def weights_constant(self, embed: Floats) -> float:
        """The limit of n E|Ŵ − W|² for embedding rows (K, d): Σ_k (G⁻¹)_kk tr(Qᵀ G⁻¹ Q H_k⁺).

        Row k of logits enters W as Eᵀ G⁻¹ Q a_k (Eᵀ G⁻¹ e_k)ᵀ with Q = I − 1 1ᵀG⁻¹ / (1ᵀG⁻¹1), and rows are estimated
        independently. For orthonormal rows this is :attr:`constant`.

        Raises:
            DataError: ``embeddings_dependent``.
        """
        inverse = np.asarray(np.linalg.inv(gram_of(embed)), dtype=np.float64)
        ones = np.ones(len(inverse))
        shift = np.eye(len(inverse)) - np.outer(ones, ones @ inverse) / (ones @ inverse @ ones)
        traces = np.einsum("ij,kji->k", shift.T @ inverse @ shift, self.inverse)
        return float(np.diag(inverse) @ traces)


def information_of(chain: Chain) -> Information:
    """The information in a problem's training prompts, with its P as the truth.

    Uniform P, uniform prompts, L → ∞: every H_k tends to Π/K², so the constant is K³(K − 1), not K².

    >>> from theory.ccmc.data import draw
    >>> from theory.ccmc.parameters import Params
    >>> chain = draw(Params(chain="uniform", vocab_size=3, prompt_length=64, n_samples=100_000), 0)
    >>> information_of(chain).rank, round(information_of(chain).constant / (3**3 * 2), 2)
    (6, 1.02)
    """
    blocks = fisher_blocks(chain.counts, chain.last, chain.weight, chain.transition)
    return Information(blocks, coverage_of(chain.counts, chain.last))


def weights_curvature(found: Information, embed: Floats) -> Floats:
    """Eigenvalues, ascending, of the mean loss's Hessian in W over the identifiable part of S, (rank,).

    In W the Hessian is Σ_k (Eᵀ H_k E) ⊗ e_k e_kᵀ: the products with E enter twice, so its condition is up to the
    square of the Gram matrix's times that of the information. For orthonormal rows these are the blocks' eigenvalues.
    """
    values, vectors = np.linalg.eigh(found.blocks)
    size = len(values)
    # H = R Rᵀ with R = [.. (Eᵀ sqrt(H_k) v) ⊗ e_k ..]; its nonzero spectrum is that of Rᵀ R, a K² × K² matrix.
    roots = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    gram = embed @ embed.T
    inner = np.einsum("kia,ij,ljb->kalb", roots, gram, roots, optimize=True) * gram[:, None, :, None]
    spectrum = np.linalg.eigvalsh(inner.reshape(size**2, size**2))
    return np.asarray(spectrum[len(spectrum) - found.rank :], dtype=np.float64)


def descent_steps(curvature: Floats, step: float, accuracy: float) -> float:
    """Gradient descent steps until every direction's error has shrunk by ``accuracy``: log(1/accuracy) / −log|1 − ηλ|.

    Infinite where a direction does not shrink: the step is too long (ηλ ≥ 2) or the direction is flat.

    Raises:
        ParameterError: the step is not positive, or the accuracy not between 0 and 1.

    >>> round(descent_steps(np.array([0.1, 1.0]), 1.0, 1e-3))
    66
    """
    if not 0 < step < math.inf:
        raise ParameterError("step", step, "a positive number")
    if not 0 < accuracy < 1:
        raise ParameterError("accuracy", accuracy, "a number between 0 and 1")
    slowest = float(np.abs(1 - step * curvature).max(initial=0.0))
    if slowest >= 1:
        return math.inf
    return 1.0 if slowest == 0 else max(math.log(accuracy) / math.log(slowest), 1.0)
