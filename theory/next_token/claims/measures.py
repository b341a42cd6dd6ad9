"""What claims read off a training run, in the space of the weights, without the theory's help."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from xarray import DataArray, Dataset

from theory.next_token.problem import Prompts
from theory.next_token.sharp import finite_projection
from theory.next_token.structure import Solution

Floats = npt.NDArray[np.float64]


def weights(prompts: Prompts, logits: Floats) -> Floats:
    """The smallest W with ``E W E' = logits``."""
    if prompts.is_orthonormal and prompts.embed is None:
        return logits
    inverse = np.linalg.pinv(prompts.vectors)
    return inverse @ logits @ inverse.T


def directional_weights(solution: Solution, logits: Floats) -> Floats:
    """The part of W outside the finite subspace."""
    return weights(solution.prompts, logits - finite_projection(solution, logits))


def at_step(values: DataArray, fraction: int = 1) -> Floats:
    """The values recorded at the last step divided by ``fraction`` (the nearest record, when none is exact)."""
    wanted = float(values.step[-1]) / fraction
    return values.values[int(np.abs(values["step"].values - wanted).argmin())]


def time_at(data: Dataset, fraction: int = 1) -> float:
    """Log-time of that record."""
    return float(at_step(data.log_time, fraction))


def still_allowed(error: Callable[[int], float], exponent: float, data: Dataset) -> float:
    """What may be left of an error that falls like ``time^-exponent``.

    Its amplitude is not known in advance: ``error(fraction)`` reads it at a tenth and a hundredth of the steps, and
    the larger reading is doubled.
    """
    past = (error(fraction) * np.exp(exponent * (time_at(data, fraction) - time_at(data))) for fraction in (10, 100))
    return 2 * float(max(past))


def has_direction(solution: Solution) -> bool:
    """Whether W_svm exists and is not zero; it may not exist when the embeddings are dependent."""
    return solution.feasible and solution.svm.norm_squared > 0


def levels_of(solution: Solution) -> Floats:
    """Graph-SVM levels [token, last]; NaN where no matrix meets the margins."""
    return solution.levels if solution.feasible else np.full((solution.prompts.vocab_size,) * 2, np.nan)


def cosine(left: Floats, right: Floats) -> float:
    """Cosine of the angle between two matrices; NaN when one is zero."""
    scale = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(np.sum(left * right)) / scale if scale > 0 else float("nan")


def total_variation(left: Floats, right: Floats) -> Floats:
    """Total variation distance between distributions along the last axis."""
    return np.abs(left - right).sum(axis=-1) / 2
