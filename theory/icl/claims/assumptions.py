"""The hypotheses of this room's theorems about prompts, each decided on the data at hand, with the numbers."""

from __future__ import annotations

import numpy as np

from theory.core.vocabulary import Assumption
from theory.icl.parameters import Params
from theory.icl.problem import Regression

TASKS = frozenset({"dim", "spectrum_decay", "feature_decay", "basis_rotation", "data_seed", "eigenvalues"}) | {
    "feature_covariance",
    "task_covariance",
}
"""Parameters that decide the covariances."""
PROMPTS = TASKS | {"design", "context_length", "noise_variance", "features", "task_mean", "replicates"}


def design_is(params: Params, wanted: str) -> Assumption:
    """The prompts are of the design that the formula is for."""
    return Assumption(f"{wanted} prompts", params.design == wanted, f"the prompts are {params.design}")


def centred_tasks(params: Params) -> Assumption:
    """Tasks have mean zero."""
    return Assumption("tasks without a mean", params.task_mean == 0, f"task mean {params.task_mean:g}")


def gaussian(params: Params) -> Assumption:
    """Features are Gaussian."""
    return Assumption("Gaussian features", params.features == "gaussian", f"features are {params.features}")


def learnable(params: Params, problem: Regression) -> Assumption:
    """Labels have a part that depends on the features."""
    power = float(problem.spectrum[0].sum())
    return Assumption("something to learn", power > 0, f"labels have power {power:.3g} besides noise")


def isotropic(problem: Regression, *, tasks: bool = True) -> Assumption:
    """Features (and tasks) have the identity as covariance."""
    tables = (problem.feature_covariance, problem.task_covariance) if tasks else (problem.feature_covariance,)
    off = max(float(np.abs(table - np.eye(problem.dim)).max()) for table in tables)
    what = "features and tasks" if tasks else "features"
    return Assumption(f"isotropic {what}", off <= 1e-12, f"off the identity by {off:.3g}")
