"""The law of the prompts that one trained model sees, as plain arrays and numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.icl.drift import task_correlation
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression


@dataclass(frozen=True, eq=False)
class PromptLaw:
    """How one model's prompts are drawn.

    ``x_i = shift + scale F g_i`` with ``shift = to_query x + to_task beta``, query ``x = to_task beta + F g``, labels
    ``y_i = label_scale x_i' beta_i + noise``. ``feature_root`` F and ``task_root`` (d, d) are square roots of the
    covariances, ``task_mean`` (d,); ``task_root_of_time`` (n + 1, n + 1), a root of the tasks' correlations along the
    prompt, is None where one task serves the whole prompt.
    """

    length: int
    noise_variance: float
    feature_root: Floats
    task_root: Floats
    task_mean: Floats
    to_query: float = 0.0
    to_task: float = 0.0
    scale: float = 1.0
    label_scale: float = 1.0
    signs: bool = False
    task_root_of_time: Floats | None = None

    @property
    def dim(self) -> int:
        return len(self.feature_root)

    @property
    def has_statistics(self) -> bool:
        """Whether Z'Z can be drawn without its examples: Gaussian features and one task."""
        return not self.signs and self.task_root_of_time is None

    @property
    def query_integrates(self) -> bool:
        """Whether the query's second moment given the context is known exactly."""
        return not (self.signs and self.to_query)

    @property
    def posterior(self) -> tuple[float, float]:
        """Given the context, the query has mean ``weight sum(x_i) + to_task beta`` and covariance ``spread F F'``."""
        bottom = self.scale**2 + self.length * self.to_query**2
        return self.to_query / bottom, self.scale**2 / bottom


def law_of(params: Params, problem: Regression) -> PromptLaw:
    """The law of the prompts that the parameters describe (arXiv 2407.10005, data models)."""
    retrieval, aligned = params.design == "rag", params.design == "alignment"
    drifts = params.design == "drift"
    values, vectors = np.linalg.eigh(problem.task_covariance)
    along, query = task_correlation(params.drift, params.context_length, params.task_correlation, params.period)
    joint = np.block([[along, query[:, None]], [query[None, :], np.ones((1, 1))]])
    sizes, basis = np.linalg.eigh(joint)
    return PromptLaw(
        length=params.context_length,
        noise_variance=params.noise_variance,
        feature_root=problem.whitening[0],
        task_root=(vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T,
        task_mean=np.full(problem.dim, params.task_mean),
        to_query=params.alignment if retrieval else 0.0,
        to_task=params.alignment if aligned else 0.0,
        scale=float(np.sqrt(1 - params.alignment**2)) if retrieval else 1.0,
        label_scale=float(1 / np.sqrt(params.alignment**2 * problem.dim + 1)) if aligned else 1.0,
        signs=params.features == "signs",
        task_root_of_time=basis * np.sqrt(np.maximum(sizes, 0.0)) if drifts else None,
    )
