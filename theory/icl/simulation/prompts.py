"""Prompts of every design, drawn example by example: what measurements without training rest on.

One generator serves a block of ``BLOCK`` prompts of one seed, so that a prompt depends neither on how many others are
drawn nor on other seeds. Drifting tasks are simulated as processes, not drawn from a correlation matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression

BLOCK = 256


@dataclass(frozen=True, eq=False)
class Prompts:
    """B prompts: ``examples`` (B, n, d), ``labels`` (B, n), the query's ``task`` (B, d) and ``query`` (B, d).

    The query's label is ``query' task`` plus noise; for the design ``alignment`` the task has the label scale in it.
    """

    examples: Floats
    labels: Floats
    task: Floats
    query: Floats

    @property
    def products(self) -> Floats:
        """x_i y_i, shape (B, n, d)."""
        return self.examples * self.labels[..., None]

    @property
    def correlation(self) -> Floats:
        """X'y, shape (B, d)."""
        return np.einsum("bnd,bn->bd", self.examples, self.labels)


def blocks(count: int, *seed: int) -> Iterator[tuple[np.random.Generator, int]]:
    """A generator and a number of prompts for each block, ``count`` prompts in all; blocks are drawn whole.

    >>> [size for _, size in blocks(300, 0)]
    [256, 44]
    """
    for block, first in enumerate(range(0, count, BLOCK)):
        yield np.random.default_rng((*seed, block)), min(BLOCK, count - first)


def draw_prompts(params: Params, problem: Regression, size: int, generator: np.random.Generator) -> Prompts:
    """The first ``size`` of a block of prompts as the parameters describe them (data models of arXiv 2407.10005)."""
    n, dim = params.context_length, problem.dim
    tasks = _tasks(params, problem, generator)
    own = tasks[:, -1]
    feature_root = np.asarray(np.linalg.cholesky(problem.feature_covariance), dtype=np.float64)
    query = draw_features(params, feature_root, (BLOCK, 1), generator)[:, 0]
    examples = draw_features(params, feature_root, (BLOCK, n), generator)
    noise = np.sqrt(params.noise_variance) * generator.standard_normal((BLOCK, n))
    scale = 1.0
    if params.design == "rag":
        examples = params.alignment * query[:, None] + np.sqrt(1 - params.alignment**2) * examples
    elif params.design == "alignment":
        examples, query = examples + params.alignment * own[:, None], query + params.alignment * own
        scale = 1 / np.sqrt(params.alignment**2 * dim + 1)
    labels = scale * np.einsum("bnd,bnd->bn", examples, np.broadcast_to(tasks[:, :-1], examples.shape)) + noise
    return Prompts(examples[:size], labels[:size], scale * own[:size], query[:size])


def draw_features(
    params: Params, feature_root: Floats, shape: tuple[int, int], generator: np.random.Generator
) -> Floats:
    """Independent features (*shape, d) with covariance ``feature_root feature_root'``, Gaussian or from random signs.

    Signs are mixed by the symmetric root, so that whitened features have independent coordinates.
    """
    drawn = generator.standard_normal((*shape, len(feature_root)))
    if params.features == "gaussian":
        return drawn @ feature_root.T
    values, vectors = np.linalg.eigh(feature_root @ feature_root.T)
    return np.sign(drawn) @ ((vectors * np.sqrt(values)) @ vectors.T)


def task_moment(params: Params, problem: Regression) -> Floats:
    """Second moment E beta beta' of the tasks, (d, d); their mean included."""
    return problem.task_covariance + params.task_mean**2


def root_of(moment: Floats) -> Floats:
    """A matrix T (d, d) with ``T T' = moment``, which may be singular."""
    values, vectors = np.linalg.eigh(moment)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _tasks(params: Params, problem: Regression, generator: np.random.Generator) -> Floats:
    """Tasks (BLOCK, n + 1, d), the query's last; (BLOCK, 2, d), twice the same, if they do not drift."""
    n, rho = params.context_length, params.task_correlation
    shape = (BLOCK, n + 1, problem.dim) if params.design == "drift" else (BLOCK, 1, problem.dim)
    fresh = generator.standard_normal(shape)
    fading = np.sqrt(1 - rho**2)
    if params.design != "drift":
        found = np.repeat(fresh, 2, axis=1)
    elif params.drift == "ar1":
        found = fresh.copy()
        for place in range(1, n + 1):
            found[:, place] = rho * found[:, place - 1] + fading * fresh[:, place]
    elif params.drift == "switch":
        after = rho * fresh[:, :1] + fading * fresh[:, 1:2]
        found = np.where((np.arange(n + 1) < n / 2)[None, :, None], fresh[:, :1], after)
    elif params.drift == "period":
        found = fresh[:, np.arange(n + 1) % params.period]
    else:
        # One draw more is needed than there are tasks: the common part.
        common = generator.standard_normal((BLOCK, 1, problem.dim))
        found = np.sqrt(rho) * common + np.sqrt(1 - rho) * fresh
    return found @ root_of(problem.task_covariance).T + params.task_mean
