"""What is trained for the figures of a page: layers by alignment, softmax, H3, ranks, other lengths, and the descent.

Each run answers in seconds, at the cost of fewer steps than the claims' own experiments take.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from xarray import Dataset

from theory.core.errors import BenchError
from theory.core.keys import result_key
from theory.core.result import stack
from theory.core.store import default_store
from theory.core.vocabulary import Replicate, Stop
from theory.icl.effective import effective_wpgd
from theory.icl.experiments.descent import factored
from theory.icl.model import build
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.prompt_law import law_of
from theory.icl.simulation.layers import (
    BATCH,
    TEST_PROMPTS,
    TEST_STREAM,
    affordable_steps,
    described,
    landed,
    layers,
    tested,
)
from theory.icl.simulation.training_prompts import Sampler, generator_of
from theory.icl.training import LARGEST_DIM, train

ALIGNMENTS = (0.0, 0.3, 0.6, 0.9)
LENGTHS = (3, 10, 30, 100)
SOFTMAX_LENGTH, SOFTMAX_SEEDS, SOFTMAX_STEPS = 30, 2, 500
H3_SEEDS, DESCENTS = 2, 2
LONGEST_LAYER = 60
"""Examples per prompt up to which layers are trained that need every example."""
LONGEST_TEST, TEST_LENGTHS = 4.0, 7
Emit = Callable[[float], None]
Watch = Callable[[float, Dataset], None]


def retrieval_layers(params: Params, problem: Regression, emit: Watch, stop: Stop) -> Dataset:
    """Attention layers on retrieved or aligned prompts as the sliders say, by alignment and length."""
    here, problem = _aligned(params), isotropic(problem.dim)
    lengths = LENGTHS if problem.dim <= 12 else LENGTHS[1::2]
    settings = [
        (here.model_copy(update={"alignment": alignment, "context_length": n}), 0)
        for alignment in ALIGNMENTS
        for n in lengths
    ]
    return layers(settings, problem, emit, stop)


def softmax_layers(params: Params, problem: Regression, emit: Emit, stop: Stop) -> Dataset:
    """Softmax layers on isotropic tasks by alignment: ``risk`` and ``standard_error`` (model,), one query a prompt."""
    _check_examples(params, problem)
    torch: Any = import_module("torch")

    here, problem = _aligned(params), isotropic(problem.dim)
    settings = [
        (here.model_copy(update={"alignment": alignment}), seed)
        for alignment in ALIGNMENTS
        for seed in range(SOFTMAX_SEEDS)
    ]
    laws, seeds = [law_of(own, problem) for own, _ in settings], [seed for _, seed in settings]
    models = train("softmax", laws, seeds, SOFTMAX_STEPS, BATCH, query="sampled", emit=emit, stop=stop)
    risks: list[float] = []
    errors: list[float] = []
    for model, seed in zip(models, seeds, strict=True):
        sampler = Sampler([model.law], [generator_of(seed, TEST_STREAM)], dtype=torch.float64)
        with torch.no_grad():
            drawn = sampler.draw(4 * TEST_PROMPTS)
            module: Any = build("softmax", [model.weights], [model.law.length], dtype=torch.float64)
            answer = module(drawn.tokens, drawn.query, sampler.present)
            missed: Floats = (
                ((drawn.query * drawn.task).sum(dim=2) - answer)[0] ** 2
            ).numpy() + model.law.noise_variance
        risks.append(float(missed.mean()))
        errors.append(float(missed.std(ddof=1) / len(missed) ** 0.5))
    found = {"risk": (("model",), np.array(risks)), "standard_error": (("model",), np.array(errors))}
    return Dataset({**described(settings), **found})


def h3_layers(params: Params, problem: Regression, emit: Emit, stop: Stop) -> Dataset:
    """H3 layers on drifting prompts: ``omega`` (model, position) with ``risk`` and ``standard_error`` (model,)."""
    _check_examples(params, problem)
    here = params.model_copy(update={"design": "drift"})
    settings = [(here, seed) for seed in range(H3_SEEDS)]
    laws, seeds = [law_of(own, problem) for own, _ in settings], [seed for _, seed in settings]
    models = train("h3", laws, seeds, affordable_steps(laws, "h3"), BATCH, emit=emit, stop=stop)
    omega = np.stack([effective_wpgd(model.weights)[1] for model in models])
    about = {"long_name": "weight of each example, the latest last; scale and sign are free"}
    found = {"omega": (("model", "position"), omega, about), **tested("h3", models, seeds)}
    return Dataset({**described(settings), **found})


def rank_layers(params: Params, problem: Regression, emit: Emit, stop: Stop) -> Dataset:
    """Preconditioners of every rank, as trained factors: ``rank``, ``risk``, ``standard_error`` (model,)."""
    _check_dim(problem)
    ranks = np.unique(np.linspace(1, problem.dim, min(problem.dim, 8)).round().astype(np.int64)).tolist()
    here = params.model_copy(update={"design": "independent"})
    laws = [law_of(here, problem)] * len(ranks)
    steps = 2 * affordable_steps(laws)
    models = train("factored", laws, [0] * len(ranks), steps, BATCH, ranks=ranks, emit=emit, stop=stop)
    found = {"rank": (("model",), np.array(ranks), {"long_name": "rank"})}
    return Dataset({**found, **tested("factored", models, [0] * len(ranks))})


def length_layers(params: Params, problem: Regression, emit: Watch, stop: Stop) -> Dataset:
    """Layers trained at the sliders' length and asked at others, as trained and divided by length.

    Returns ``test_length`` (place,), ``risk`` and ``standard_error`` (mode, place, model).
    """
    torch: Any = import_module("torch")

    _check_dim(problem)
    here = params.model_copy(update={"design": "independent"})
    trained = landed(here, problem, emit, stop, lengths=[here.context_length])
    longest = max(LONGEST_TEST * here.context_length, float(params.n_test))
    lengths = np.unique(np.geomspace(2, longest, TEST_LENGTHS).round().astype(np.int64)).tolist()
    weights = trained.preconditioner.values
    risks = np.zeros((2, len(lengths), len(weights)))
    errors = np.zeros_like(risks)
    for place, length in enumerate(lengths):
        law = law_of(here.model_copy(update={"context_length": length}), problem)
        sampler = Sampler(
            [law], [generator_of(length, TEST_STREAM)], statistics=law.has_statistics, dtype=torch.float64
        )
        drawn = sampler.draw(TEST_PROMPTS)
        tokens = drawn.tokens[0]
        correlation = (tokens[..., :-1] * tokens[..., -1:]).sum(dim=1)
        for mode, factor in enumerate((1.0, here.context_length / length)):
            for model, step in enumerate(weights):
                direction = factor * correlation @ torch.tensor(step).T
                missed: Floats = drawn.error(direction[None])[0].numpy() + law.noise_variance
                risks[mode, place, model] = missed.mean()
                errors[mode, place, model] = missed.std(ddof=1) / len(missed) ** 0.5
    axes = ("mode", "place", "model")
    return Dataset(
        {
            "test_length": (("place",), np.array(lengths), {"long_name": "context length at test time"}),
            "risk": (axes, risks, {"long_name": "risk on fresh prompts, label noise included"}),
            "standard_error": (axes, errors, {"long_name": "standard error over prompts"}),
        },
        coords={"mode": ["as trained", "divided by length"]},
    )


def descents(params: Params, problem: Regression, emit: Emit, stop: Stop) -> Dataset:
    """Gradient descent over factors from small starts: the raw results of its experiment, through the store."""
    replicates = [Replicate(problem, seed) for seed in range(DESCENTS)]
    keys = [result_key(factored, params, replicate, "cpu") for replicate in replicates]
    raws, _ = default_store().fetch(
        keys,
        lambda missing: factored.run(
            params, [replicates[i] for i in missing], "cpu", lambda fraction, _: emit(fraction), stop
        ),
        stop,
    )
    found = stack(raws)
    if "not_run" in found.attrs:
        raise BenchError(str(found.attrs["not_run"]))
    return found


def isotropic(dim: int) -> Regression:
    """Features and tasks without a preferred direction, for which the formulas of aligned prompts are exact."""
    return Regression(np.eye(dim), np.eye(dim), np.eye(dim))


def _aligned(params: Params) -> Params:
    """The sliders' prompts where examples are aligned, else retrieved ones, with what the formulas need."""
    design = params.design if params.design in ("rag", "alignment") else "rag"
    return params.model_copy(update={"design": design, "features": "gaussian", "task_mean": 0.0})


def _check_dim(problem: Regression) -> None:
    if problem.dim > LARGEST_DIM:
        raise BenchError(f"dim = {problem.dim}: models are trained on at most {LARGEST_DIM} features.")


def _check_examples(params: Params, problem: Regression) -> None:
    _check_dim(problem)
    if params.context_length > LONGEST_LAYER:
        said = (
            f"context_length = {params.context_length}: these layers are trained on at most {LONGEST_LAYER} examples."
        )
        raise BenchError(f"{said} Make the prompt shorter.")
