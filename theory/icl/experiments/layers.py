"""What a page trains beside the claims: layers by length, alignment and rank, H3, softmax, and other test lengths.

Each answers in seconds, at the cost of fewer steps than the claims' own experiments take. One replicate is all the
layers of a figure: they are trained in one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from xarray import Dataset

from theory.core.errors import BenchError
from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop
from theory.icl.effective import effective_wpgd
from theory.icl.experiments.prompts import LAW
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Integers, Regression, isotropic
from theory.icl.prompt_law import law_of
from theory.icl.simulation.fresh_prompts import TEST_PROMPTS, TEST_STREAM, risks_dataset, sampler_of, softmax_errors
from theory.icl.simulation.layers import (
    SECONDS,
    Setting,
    affordable_steps,
    attention_layers,
    described,
    progress,
    trained,
    trained_layers,
)
from theory.shared.statistics import Mean, mean_of

SEEDS = 2
"""Layers per setting; the sliders' own length gets twice as many."""
POINTS, SHORTEST, LONGEST, LONGEST_LISTED = 6, 2, 150, 50
"""Context lengths of the curve; where prompts are drawn example by example they are shorter."""
ALIGNMENTS = (0.0, 0.3, 0.6, 0.9)
LENGTHS = (3, 10, 30, 100)
SOFTMAX_STEPS = 500
LONGEST_LAYER = 60
"""Examples per prompt up to which layers are trained that need every example."""
LONGEST_TEST, TEST_LENGTHS = 4.0, 7
MODES = ("as trained", "divided by length")

Measure = Callable[[Params, Regression, int, str, Emit, Stop], Dataset]
"""Train the layers of one replicate: ``measure(params, problem, seed, device, emit, stop)``."""


def _experiment(name: str, uses: frozenset[str], measure: Measure) -> Experiment[Params, Regression]:
    def run(
        params: Params, replicates: Sequence[Replicate[Regression]], device: str, emit: Emit, stop: Stop
    ) -> list[Dataset]:
        return [measure(params, own.problem, own.seed * 1000, device, emit, stop) for own in replicates]

    def plan(params: Params, problem: Regression, replicates: int) -> Plan:
        return Plan(SECONDS * replicates, 10**8, "seed")

    return Experiment(f"icl/{name}", uses, "seed", plan, run)


def _chosen(params: Params, names: frozenset[str], **given: Any) -> Params:
    """Parameters that have these values of ``params``, those given, and the defaults besides."""
    return Params(**{name: getattr(params, name) for name in names - set(given)}, **given)


def curve_lengths(params: Params, problem: Regression) -> Integers:
    """Context lengths at which layers are trained, ascending, the sliders' own among them."""
    longest = LONGEST if law_of(params, problem).has_statistics else LONGEST_LISTED
    count = POINTS if problem.dim <= 12 else POINTS // 2
    even = np.geomspace(SHORTEST, longest, count).round().astype(np.int64)
    if params.design == "drift" and params.drift == "period":
        even = even[even >= params.period]
    return np.unique(np.append(even, params.context_length))


def at_lengths(params: Params, lengths: Sequence[int], seed: int = 0) -> list[Setting]:
    """Settings of attention layers at these context lengths, twice as many at the sliders' own."""
    return [
        (params.model_copy(update={"context_length": n}), seed + own)
        for n in lengths
        for own in range(SEEDS * (2 if n == params.context_length else 1))
    ]


def _curve(params: Params, problem: Regression, seed: int, device: str, emit: Emit, stop: Stop) -> Dataset:
    settings = at_lengths(params, curve_lengths(params, problem).tolist(), seed)
    return attention_layers(settings, problem, device, emit, stop)


def _own_length(params: Params, problem: Regression, seed: int, device: str, emit: Emit, stop: Stop) -> Dataset:
    return attention_layers(at_lengths(params, [params.context_length], seed), problem, device, emit, stop)


def _aligned_design(params: Params) -> str:
    """The sliders' prompts where examples are aligned, else retrieved ones."""
    return params.design if params.design in ("rag", "alignment") else "rag"


def _retrieval(params: Params, problem: Regression, seed: int, device: str, emit: Emit, stop: Stop) -> Dataset:
    lengths = LENGTHS if problem.dim <= 12 else LENGTHS[1::2]
    here: dict[str, Any] = {"design": _aligned_design(params), "noise_variance": params.noise_variance}
    settings = [(Params(**here, alignment=a, context_length=n), seed) for a in ALIGNMENTS for n in lengths]
    return trained_layers("attention", settings, isotropic(problem.dim), device, emit, stop)[1]


def _softmax(params: Params, problem: Regression, seed: int, device: str, emit: Emit, stop: Stop) -> Dataset:
    """``risk`` and ``standard_error`` (model,) with one query a prompt."""
    _check_examples(params)
    here = _chosen(params, SOFTMAX_USES, design=_aligned_design(params))
    settings = [(here.model_copy(update={"alignment": a}), seed + own) for a in ALIGNMENTS for own in range(SEEDS)]
    models = trained(
        "softmax",
        settings,
        isotropic(problem.dim),
        device,
        stop,
        steps=SOFTMAX_STEPS,
        emit=progress(emit),
    )
    risks: list[Mean] = []
    for model, (_, own) in zip(models, settings, strict=True):
        sampler = sampler_of(model.law, own, TEST_STREAM)
        risks.append(mean_of(softmax_errors(model, sampler, sampler.draw(4 * TEST_PROMPTS))[1]))
    return Dataset(described(settings) | risks_dataset(risks))


def _h3(params: Params, problem: Regression, seed: int, device: str, emit: Emit, stop: Stop) -> Dataset:
    """``omega`` (model, position) on drifting prompts, with ``risk`` and ``standard_error`` (model,)."""
    _check_examples(params)
    here = _chosen(params, H3_USES, design="drift")
    settings = [(here, seed + own) for own in range(SEEDS)]
    models, found = trained_layers("h3", settings, problem, device, emit, stop)
    omega = np.stack([effective_wpgd(model.weights)[1] for model in models])
    about = {"long_name": "weight of each example, the latest last; scale and sign are free"}
    return found.assign(omega=(("model", "position"), omega, about))


def _ranks(params: Params, problem: Regression, seed: int, device: str, emit: Emit, stop: Stop) -> Dataset:
    """Preconditioners of every rank, as trained factors: ``rank``, ``risk``, ``standard_error`` (model,)."""
    ranks = np.unique(np.linspace(1, problem.dim, min(problem.dim, 8)).round().astype(np.int64))
    settings = [(_chosen(params, INDEPENDENT), seed)] * len(ranks)
    steps = 2 * affordable_steps([law_of(here, problem) for here, _ in settings])
    _, found = trained_layers("factored", settings, problem, device, emit, stop, ranks=ranks.tolist(), steps=steps)
    return found.assign(rank=(("model",), ranks, {"long_name": "rank"}))


def _lengths(params: Params, problem: Regression, seed: int, device: str, emit: Emit, stop: Stop) -> Dataset:
    """Layers trained at the sliders' length and asked at others: ``test_length`` (place,), ``risk`` and its error.

    The risk (mode, place, model) is that of the layers as trained, and divided by length.
    """
    torch: Any = import_module("torch")

    here = _chosen(params, INDEPENDENT)
    layers = _own_length(here, problem, seed, device, emit, stop).preconditioner.values
    longest = max(LONGEST_TEST * here.context_length, float(params.n_test))
    lengths = np.unique(np.geomspace(2, longest, TEST_LENGTHS).round().astype(np.int64))
    risks: list[Mean] = []
    for length in lengths.tolist():
        law = law_of(here.model_copy(update={"context_length": length}), problem)
        drawn = sampler_of(law, length, TEST_STREAM, statistics=law.has_statistics).draw(TEST_PROMPTS)
        correlation = (drawn.tokens[0, ..., :-1] * drawn.tokens[0, ..., -1:]).sum(dim=1)
        for factor in (1.0, here.context_length / length):
            directions = (factor * correlation @ torch.tensor(step).T for step in layers)
            missed = [drawn.error(direction[None])[0].numpy() + law.noise_variance for direction in directions]
            risks.append(mean_of(np.stack(missed, axis=1)))
    shape, axes = (len(lengths), len(MODES), len(layers)), ("place", "mode", "model")

    def table(values: list[Floats], name: str) -> Any:
        return axes, np.stack(values).reshape(shape), {"long_name": name}

    return Dataset(
        {
            "test_length": (("place",), lengths, {"long_name": "context length at test time"}),
            "risk": table([risk.mean for risk in risks], "risk on fresh prompts, label noise included"),
            "standard_error": table([risk.error for risk in risks], "standard error over prompts"),
        },
        coords={"mode": list(MODES)},
    ).transpose("mode", "place", "model")


def _check_examples(params: Params) -> None:
    if params.context_length > LONGEST_LAYER:
        said = f"context_length = {params.context_length}: these layers are trained on at most {LONGEST_LAYER}"
        raise BenchError(f"{said} examples. Make the prompt shorter.")


SOFTMAX_USES = frozenset({"design", "noise_variance", "context_length"})
INDEPENDENT = frozenset({"noise_variance", "context_length", "features", "task_mean"})
H3_USES = INDEPENDENT | {"drift", "task_correlation", "period"}
curve_layers = _experiment("curve_layers", LAW, _curve)
own_length_layers = _experiment("own_length_layers", LAW, _own_length)
retrieval_layers = _experiment("retrieval_layers", frozenset({"design", "noise_variance"}), _retrieval)
softmax_layers = _experiment("softmax_layers", SOFTMAX_USES, _softmax)
h3_layers = _experiment("h3_layers", H3_USES, _h3)
rank_layers = _experiment("rank_layers", INDEPENDENT, _ranks)
length_layers = _experiment("length_layers", INDEPENDENT | {"n_test"}, _lengths)
