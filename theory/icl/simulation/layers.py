"""Attention layers trained on the spot at several context lengths, for a page to watch: steps taken, risks, losses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from xarray import Dataset

from theory.core.keys import content_key
from theory.core.store import default_store
from theory.core.vocabulary import Stop
from theory.icl.data import active
from theory.icl.effective import effective_preconditioner
from theory.icl.model import build
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Integers, Regression
from theory.icl.prompt_law import PromptLaw, law_of
from theory.icl.simulation.training_prompts import Sampler, generator_of
from theory.icl.training import LARGEST_DIM, Trained, default_statistics, train

SEEDS = 2
"""Layers per context length; the sliders' own length gets twice as many."""
POINTS, SHORTEST, LONGEST, LONGEST_LISTED = 6, 2, 150, 50
"""Context lengths of the curve; where prompts are drawn example by example they are shorter."""
STEPS, FEWEST_STEPS, BATCH = 400, 120, 128
TEST_PROMPTS, TEST_STREAM = 2000, 3
SECONDS, SECONDS_PER_ENTRY, SECONDS_PER_STEP = 6.0, 3e-8, 1.5e-3
"""What a page waits for, and the costs of training measured on one core."""
FRAMES = 60
"""Snapshots of the weights that are kept along a training."""
SIGMAS = 4.0
Setting = tuple[Params, int]
"""The parameters of one layer's prompts, and its seed."""
_LAW = frozenset(
    {"design", "noise_variance", "alignment", "drift", "task_correlation", "period", "features", "task_mean"}
)


def landed_key(params: Params, problem: Regression) -> str:
    """What the trained layers depend on: the context length is not in it, each layer has its own."""
    values = params.model_dump(include=set(_LAW & active(params)))
    return json.dumps([problem.fingerprint, values], sort_keys=True)


def landing_lengths(params: Params, problem: Regression) -> Integers:
    """Context lengths at which layers are trained, ascending, the sliders' own among them."""
    law = law_of(params, problem)
    longest = LONGEST if law.has_statistics else LONGEST_LISTED
    count = POINTS if problem.dim <= 12 else POINTS // 2
    even = np.geomspace(SHORTEST, longest, count).round().astype(np.int64)
    if params.design == "drift" and params.drift == "period":
        even = even[even >= params.period]
    return np.unique(np.append(even, params.context_length))


def landed(
    params: Params,
    problem: Regression,
    emit: Callable[[float, Dataset], None],
    stop: Stop,
    lengths: Sequence[int] | Integers | None = None,
) -> Dataset:
    """Train attention layers at several context lengths in one batch; ``emit`` receives them as they learn.

    Returns dims model, row, column, time, step: ``n`` and ``seed`` (model,), ``preconditioner`` (model, row, column),
    ``path`` (time, model, row, column) with its ``done`` (time,), ``loss`` (step, model), and once trained ``risk``
    with ``standard_error`` on fresh prompts and ``settled`` (model,): False where the loss was still falling.

    Raises:
        Cancelled: ``stop()`` turned true. ParameterError: more dimensions than are trained.
    """
    wanted = landing_lengths(params, problem) if lengths is None else np.asarray(lengths, dtype=np.int64)
    settings = [
        (params.model_copy(update={"context_length": int(n)}), seed)
        for n in wanted
        for seed in range(SEEDS * (2 if n == params.context_length else 1))
    ]
    return layers(settings, problem, emit, stop, trained=landed_key(params, problem))


def layers(
    settings: Sequence[Setting],
    problem: Regression,
    emit: Callable[[float, Dataset], None],
    stop: Stop,
    **attributes: str,
) -> Dataset:
    """Like :func:`landed`, one layer for each setting, with its ``alignment`` (model,) besides; kept in the store."""
    each = [(landed_key(params, problem), params.context_length, seed) for params, seed in settings]
    key = content_key({"layers": each}, _trained)
    [found], _ = default_store().fetch([key], lambda _: [_trained(settings, problem, emit, stop, attributes)], stop)
    return found.assign_attrs(attributes)


def _trained(
    settings: Sequence[Setting],
    problem: Regression,
    emit: Callable[[float, Dataset], None],
    stop: Stop,
    attributes: Mapping[str, str],
) -> Dataset:
    laws, seeds = [law_of(params, problem) for params, _ in settings], [seed for _, seed in settings]
    frames: list[tuple[float, Floats]] = []

    def watch(fraction: float, models: list[Trained]) -> None:
        frames.append((fraction, _split(models)[0]))
        emit(0.9 * fraction, _dataset(settings, models, frames, attributes))

    sampled = not all(law.query_integrates for law in laws)
    query = "sampled" if sampled else "integrated"
    models = train("attention", laws, seeds, affordable_steps(laws), BATCH, query=query, watch=watch, stop=stop)
    return _dataset(settings, models, frames, attributes).assign(tested("attention", models, seeds))


def affordable_steps(laws: Sequence[PromptLaw], name: str = "attention") -> int:
    """As many training steps as a page waits for."""
    dim = min(laws[0].dim, LARGEST_DIM)
    rows = dim + 2 if default_statistics(name, laws) else max(law.length for law in laws)
    each = SECONDS_PER_STEP + len(laws) * BATCH * rows * (dim + 1) * SECONDS_PER_ENTRY
    return int(np.clip(SECONDS / each, FEWEST_STEPS, STEPS))


def described(settings: Sequence[Setting]) -> dict[str, Any]:
    """Context length, alignment and seed of each trained model."""
    return {
        "n": (("model",), np.array([params.context_length for params, _ in settings]), {"long_name": "context length"}),
        "alignment": (("model",), np.array([params.alignment for params, _ in settings]), {"long_name": "alignment"}),
        "seed": (("model",), np.array([seed for _, seed in settings]), {}),
    }


def _split(models: Sequence[Trained]) -> tuple[Floats, Floats]:
    """W (model, d, d) of each layer, and the norm (model,) of its part that is even in the labels."""
    steps: list[Floats] = []
    even: list[float] = []
    for model in models:
        query, key, value, output = (model.weights[name] for name in ("query", "key", "value", "output"))
        step, rest = effective_preconditioner(query, key, value, output, model.law.length)
        steps.append(step)
        even.append(float(rest.norm))
    return np.stack(steps), np.array(even)


def _dataset(
    settings: Sequence[Setting],
    models: Sequence[Trained],
    frames: Sequence[tuple[float, Floats]],
    attributes: Mapping[str, str],
) -> Dataset:
    kept = np.linspace(0, len(frames) - 1, min(len(frames), FRAMES)).round()
    chosen: list[int] = np.unique(kept.astype(np.int64)).tolist()
    square, (steps, even) = ("row", "column"), _split(models)
    return Dataset(
        {
            **described(settings),
            "preconditioner": (("model", *square), steps, {"long_name": "W of the trained layer"}),
            "even": (("model",), even, {"long_name": "norm of the part even in the labels"}),
            "path": (
                ("time", "model", *square),
                np.stack([frames[i][1] for i in chosen]),
                {"long_name": "W in training"},
            ),
            "done": (("time",), np.array([frames[i][0] for i in chosen]), {"long_name": "fraction of the training"}),
            "loss": (("step", "model"), np.stack([m.losses for m in models], axis=1), {"long_name": "training loss"}),
        },
        attrs=dict(attributes),
    )


def tested(name: str, models: Sequence[Trained], seeds: Sequence[int]) -> dict[str, Any]:
    """Risks on fresh prompts, with errors from the spread over prompts, and whether the loss had come to rest."""
    torch: Any = import_module("torch")

    rows: list[tuple[float, float, bool]] = []
    for model, seed in zip(models, seeds, strict=True):
        law = model.law
        short = default_statistics(name, [law])
        sampler = Sampler([law], [generator_of(seed, TEST_STREAM)], statistics=short, dtype=torch.float64)
        with torch.no_grad():
            drawn = sampler.draw(TEST_PROMPTS)
            after, before = (
                drawn.error(build(name, [weights], [law.length], dtype=torch.float64).direction(drawn.tokens))[0]
                for weights in (model.weights, model.earlier)
            )
        losses: Floats = after.numpy() + law.noise_variance
        fall: Floats = (before - after).numpy()
        root = len(losses) ** 0.5
        margin = SIGMAS * float(fall.std(ddof=1)) / root + 16 * law.dim**2 / (BATCH * len(model.losses)) * losses.mean()
        rows.append((float(losses.mean()), float(losses.std(ddof=1)) / root, bool(fall.mean() <= margin)))
    risks, errors, settled = ([row[place] for row in rows] for place in range(3))
    return {
        "risk": (("model",), np.array(risks), {"long_name": "risk on fresh prompts, label noise included"}),
        "standard_error": (("model",), np.array(errors), {"long_name": "standard error over prompts"}),
        "settled": (("model",), np.array(settled), {"long_name": "the loss had come to rest"}),
    }
