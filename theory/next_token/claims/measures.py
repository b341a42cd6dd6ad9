"""What claims read off a training run, in the space of the weights, without the theory's help."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from xarray import DataArray, Dataset

from theory.next_token.model import weights_of
from theory.next_token.problem import Prompts
from theory.next_token.subspace import finite_projection

Floats = npt.NDArray[np.float64]
TOKENS = ("token", "last")
LOGITS = ("step", "token", "last")


def weights(prompts: Prompts, logits: Floats) -> Floats:
    """The smallest W with ``E W E' = logits``; in logits where the embeddings are the unit vectors."""
    return logits if prompts.embed is None else weights_of(logits, prompts.vectors)


def directional(prompts: Prompts, logits: Floats) -> Floats:
    """(..., K, K) logits of the weights outside the finite subspace."""
    return logits - finite_projection(prompts, logits)


def size_of(prompts: Prompts, logits: Floats) -> float:
    """Frobenius norm of the weights with these logits."""
    return float(np.linalg.norm(weights(prompts, logits)))


def cosine(prompts: Prompts, left: Floats, right: Floats) -> float:
    """Cosine of the angle between the weights of two arrays of logits; NaN when one is zero."""
    one, other = weights(prompts, left), weights(prompts, right)
    scale = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.sum(one * other)) / scale if scale > 0 else float("nan")


def at_step(values: DataArray, fraction: int = 1) -> Floats:
    """The values recorded at the last step divided by ``fraction`` (the nearest record, when none is exact)."""
    wanted = float(values.step[-1]) / fraction
    return values.values[int(np.abs(values["step"].values - wanted).argmin())]


def time_at(data: Dataset, fraction: int = 1) -> float:
    """Log-time of that record."""
    return float(at_step(data.log_time, fraction))


def support_gaps(prediction: Dataset, logits: Floats) -> Floats:
    """(edge,) differences of the component means of ``logits`` (K, K) across the predicted support edges."""
    component = prediction.component.values.ravel()
    seen = component >= 0
    means = np.bincount(component[seen], logits.ravel()[seen]) / np.bincount(component[seen])
    upper, lower = prediction.support.values.T
    return means[upper] - means[lower]


def largest_gap_error(prediction: Dataset, measured: Dataset, variable: str) -> Callable[[int], float]:
    """The largest error of ``variable`` across the support edges, as a function of the fraction of the steps."""

    def error(fraction: int) -> float:
        difference = at_step(measured[variable], fraction) - at_step(prediction[variable], fraction)
        return float(np.abs(support_gaps(prediction, difference)).max(initial=0.0))

    return error


def still_allowed(error: Callable[[int], float], prediction: Dataset, measured: Dataset) -> float:
    """What may be left of an error that falls like ``time^-exponent``.

    Its amplitude is not known in advance: ``error(fraction)`` reads it at a tenth and a hundredth of the steps, and
    the larger reading is doubled.
    """
    exponent, now = float(prediction.exponent), time_at(measured)
    return 2 * float(max(error(part) * np.exp(exponent * (time_at(measured, part) - now)) for part in (10, 100)))


def total_variation(left: Floats, right: Floats) -> Floats:
    """Total variation distance between distributions along the last axis."""
    return np.abs(left - right).sum(axis=-1) / 2
