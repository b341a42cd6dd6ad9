"""Layers trained while somebody waits: as many steps as a page has time for, watched as they learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xarray import Dataset

from theory.core.errors import BenchError
from theory.core.vocabulary import Emit, Stop
from theory.icl.effective import step_of
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.prompt_law import PromptLaw, law_of
from theory.icl.simulation.fresh_prompts import tested
from theory.icl.training import LARGEST_DIM, Trained, default_statistics, train

STEPS, FEWEST_STEPS, BATCH = 400, 120, 128
SECONDS, SECONDS_PER_ENTRY, SECONDS_PER_STEP = 6.0, 3e-8, 1.5e-3
"""What a page waits for, and the costs of training measured on one core."""
FRAMES = 60
"""Snapshots of the weights that are kept along a training."""
Setting = tuple[Params, int]
"""The parameters of one layer's prompts, and its seed."""


def attention_layers(settings: Sequence[Setting], problem: Regression, device: str, emit: Emit, stop: Stop) -> Dataset:
    """Train an attention layer for each setting in one batch; ``emit`` receives them as they learn.

    Returns dims model, row, column, time, step: ``n``, ``alignment`` and ``seed`` (model,), ``preconditioner``
    (model, row, column), ``path`` (time, model, row, column) with its ``done`` (time,), ``loss`` (step, model), and
    once trained ``risk`` with ``standard_error`` on fresh prompts and ``settled`` (model,): False where the loss was
    still falling.

    Raises:
        Cancelled: ``stop()`` turned true. ParameterError: more dimensions than are trained.
    """
    frames: list[tuple[float, Floats]] = []

    def watch(fraction: float, models: list[Trained]) -> None:
        frames.append((fraction, _split(models)[0]))
        emit(0.9 * fraction, _dataset(settings, models, frames))

    models = trained("attention", settings, problem, device, stop, watch=watch)
    return _dataset(settings, models, frames).assign(tested("attention", models, _seeds(settings), BATCH))


def trained_layers(
    name: str, settings: Sequence[Setting], problem: Regression, device: str, emit: Emit, stop: Stop, **options: Any
) -> tuple[list[Trained], Dataset]:
    """Trained models of any kind, and a Dataset of their settings and risks (model,)."""
    models = trained(name, settings, problem, device, stop, emit=progress(emit), **options)
    return models, Dataset(described(settings) | tested(name, models, _seeds(settings), BATCH))


def trained(
    name: str, settings: Sequence[Setting], problem: Regression, device: str, stop: Stop, **options: Any
) -> list[Trained]:
    """One model for each setting; ``steps`` among the options replaces as many as a page waits for.

    Raises:
        BenchError: too many features.
    """
    if problem.dim > LARGEST_DIM:
        raise BenchError(f"dim = {problem.dim}: models are trained on at most {LARGEST_DIM} features.")
    laws = [law_of(params, problem) for params, _ in settings]
    sampled = name == "softmax" or not all(law.query_integrates for law in laws)
    options = {"steps": affordable_steps(laws, name), "query": "sampled" if sampled else "integrated"} | options
    return train(name, laws, _seeds(settings), batch_size=BATCH, device=device, stop=stop, **options)


def progress(emit: Emit) -> Callable[[float], None]:
    """Progress without a partial result."""

    def said(fraction: float) -> None:
        emit(fraction, None)

    return said


def affordable_steps(laws: Sequence[PromptLaw], name: str = "attention") -> int:
    """As many training steps as a page waits for."""
    dim = laws[0].dim
    rows = dim + 2 if default_statistics(name, laws) else max(law.length for law in laws)
    each = SECONDS_PER_STEP + len(laws) * BATCH * rows * (dim + 1) * SECONDS_PER_ENTRY
    return int(np.clip(SECONDS / each, FEWEST_STEPS, STEPS))


def described(settings: Sequence[Setting]) -> dict[str, Any]:
    """Context length, alignment and seed of each trained model."""
    return {
        "n": (("model",), np.array([params.context_length for params, _ in settings]), {"long_name": "context length"}),
        "alignment": (("model",), np.array([params.alignment for params, _ in settings]), {"long_name": "alignment"}),
        "seed": (("model",), np.array(_seeds(settings)), {}),
    }


def _seeds(settings: Sequence[Setting]) -> list[int]:
    return [seed for _, seed in settings]


def _split(models: Sequence[Trained]) -> tuple[Floats, Floats]:
    """W (model, d, d) of each layer, and the norm (model,) of its part that is even in the labels."""
    found = [step_of(model.weights, model.law.length) for model in models]
    return np.stack([step for step, _ in found]), np.array([float(rest.norm) for _, rest in found])


def _dataset(settings: Sequence[Setting], models: Sequence[Trained], frames: Sequence[tuple[float, Floats]]) -> Dataset:
    kept = np.linspace(0, len(frames) - 1, min(len(frames), FRAMES)).round()
    chosen: list[int] = np.unique(kept.astype(np.int64)).tolist()
    square, (steps, even) = ("row", "column"), _split(models)
    path, done = np.stack([frames[i][1] for i in chosen]), np.array([frames[i][0] for i in chosen])
    return Dataset(
        {
            **described(settings),
            "preconditioner": (("model", *square), steps, {"long_name": "W of the trained layer"}),
            "even": (("model",), even, {"long_name": "norm of the part even in the labels"}),
            "path": (("time", "model", *square), path, {"long_name": "W in training"}),
            "done": (("time",), done, {"long_name": "fraction of the training"}),
            "loss": (("step", "model"), np.stack([m.losses for m in models], axis=1), {"long_name": "training loss"}),
        }
    )
