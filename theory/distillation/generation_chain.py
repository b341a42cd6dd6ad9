"""The chain of generations that the parameters describe."""

from __future__ import annotations

import math

from theory.core.errors import ParameterError
from theory.distillation.parameters import Params

MOST_GENERATIONS = 20


def chain_of(params: Params) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Sample sizes and label noise variances of all generations, first to last.

    Without sizes the chain is the teacher and its student. Noises left out are zero.

    Raises:
        ParameterError: no generation or too many, a size below 1, a negative noise, or more noises than generations.

    >>> chain_of(Params(generation_sizes=(40, 10), generation_noises=(0.3,)))
    ((40, 10), (0.3, 0.0))
    """
    sizes = chain_sizes(params)
    noises = params.generation_noises or ()
    if params.generation_sizes is None and not noises:
        noises = (params.noise_variance_teacher, params.noise_variance_target)
    if len(noises) > len(sizes) or not all(math.isfinite(noise) and noise >= 0 for noise in noises):
        raise ParameterError("generation_noises", list(noises), f"at most {len(sizes)} numbers of at least 0")
    return sizes, (*noises, *(0.0 for _ in sizes[len(noises) :]))


def chain_sizes(params: Params) -> tuple[int, ...]:
    """Sample sizes of all generations, first to last; raises as :func:`chain_of`."""
    sizes = params.generation_sizes
    sizes = (params.n_teacher_samples, params.n_samples) if sizes is None else sizes
    if not 1 <= len(sizes) <= MOST_GENERATIONS or min(sizes) < 1 or max(sizes) > 100_000:
        raise ParameterError(
            "generation_sizes", list(sizes), f"1 to {MOST_GENERATIONS} whole numbers from 1 to 100,000"
        )
    return tuple(sizes)
