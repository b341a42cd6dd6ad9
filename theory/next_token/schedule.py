"""When a training run is recorded, and what log-time that is: shared by predictions and experiments."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.next_token.parameters import Params
from theory.next_token.problem import Prompts

FRACTIONS = (100, 30, 10, 3, 2, 1)
"""Steps t divided by these are always recorded: claims compare a run with its own past."""


def checkpoint_steps(steps: int) -> npt.NDArray[np.int64]:
    """Six recorded steps per decade and the fractions of the last step that claims look back to.

    >>> checkpoint_steps(1000)[-6:].tolist()
    [316, 333, 464, 500, 681, 1000]
    """
    spaced = np.geomspace(1, steps, max(2, round(6 * np.log10(steps)) + 1))
    back = np.array([steps // fraction for fraction in FRACTIONS])
    return np.unique(np.concatenate([np.round(spaced), back]).astype(np.int64).clip(1))


def curvature_bound(prompts: Prompts) -> float:
    """beta = 0.5 ||G||_2^2 max_k n_k / n: gradient descent on the mean log-loss is monotone for steps up to 1/beta.

    A softmax Hessian has norm at most 1/2. Source: ours.
    """
    largest = np.bincount(prompts.last).max() / prompts.n
    norm = 1.0 if prompts.is_orthonormal else float(np.linalg.norm(prompts.gram, 2))
    return 0.5 * norm**2 * float(largest)


def timeline(params: Params, prompts: Prompts) -> Dataset:
    """Log-time ``log(step size * steps)`` at the recorded steps."""
    steps = checkpoint_steps(params.steps)
    times = np.log(params.learning_rate / curvature_bound(prompts) * steps)
    return Dataset({"log_time": ("step", times, {"spec_name": "tau"})}, coords={"step": steps})
