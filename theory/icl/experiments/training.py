"""Trained layers and what they answer on fresh prompts: the measurements that the claims about training are judged on.

Everything is read off the layers' outputs: the part that flips with the labels, the part that does not, the response to
one example alone. No formula for preconditioners or risks enters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from xarray import Dataset

from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Run, Stop
from theory.icl.experiments.prompts import LAW
from theory.icl.parameters import Params
from theory.icl.problem import Floats, Regression
from theory.icl.prompt_law import PromptLaw, law_of
from theory.icl.simulation.fresh_prompts import module_of, sampler_of, softmax_errors
from theory.icl.simulation.layers import progress
from theory.icl.training import Trained, default_statistics, train
from theory.shared.statistics import mean_of

TEST_STREAM = 2
LARGEST_RECORD = 2_000_000
"""Entries of one seed's test prompts that are kept; longer prompts are tested on fewer of them."""
DIVERGED = Dataset(attrs={"not_run": "Not judged: the loss is not finite."})


def _prompt_count(law: PromptLaw, count: int, entries: int) -> int:
    """How many test prompts a seed keeps, when each takes ``entries`` numbers, and four times as many are drawn."""
    size = max(entries, law.length * (law.dim + 1) // 4)
    return max(2 * law.dim, min(count, LARGEST_RECORD // size))


def _answers(
    name: str, found: Trained, params: Params, seed: int, entries: int
) -> dict[str, tuple[tuple[str, ...], Any, dict[str, str]]]:
    """The layer's directions on test prompts, split by a flip of all labels, and how its loss still moves."""
    torch: Any = import_module("torch")

    drawn = sampler_of(found.law, seed, TEST_STREAM).draw(_prompt_count(found.law, params.replicates, entries))
    with torch.no_grad():
        module = module_of(name, found.weights, found.law)
        plain, flipped = module.direction(drawn.tokens), module.direction(drawn.flipped())
        before = drawn.error(module_of(name, found.earlier, found.law).direction(drawn.tokens))
        fall = mean_of((before - drawn.error(plain))[0].numpy())
        labels = drawn.tokens[0, :, :, -1:]
        products = (drawn.tokens[0, :, :, :-1] * labels).numpy()
    vector = ("prompt", "feature")
    odd, even = ((plain + sign * flipped)[0].numpy() / 2 for sign in (-1, 1))
    return {
        "products": (("prompt", "position", "feature"), products, {"long_name": "x_i y_i"}),
        "task": (vector, drawn.task[0].numpy(), {"long_name": "the query's task"}),
        "query_mean": (vector, drawn.query_mean[0].numpy(), {"long_name": "mean query given the context"}),
        "query_root": (("feature", "factor"), drawn.query_root[0].numpy(), {"long_name": "root of its covariance"}),
        "odd": (vector, odd, {"long_name": "the part of the direction that flips with the labels"}),
        "even": (vector, even, {"long_name": "the part that does not"}),
        "fall": ((), fall.mean, {"long_name": "fall of the loss over the last fifth of the steps"}),
        "fall_error": ((), fall.error, {}),
        "loss": (("step",), found.losses, {"long_name": "training loss"}),
    }


def _weights(found: Trained) -> dict[str, tuple[tuple[str, ...], Floats]]:
    names = {"query": ("token_row", "token_column"), "key": ("token_row", "token_column")}
    names |= {"value": ("token_row", "token_column"), "output": ("token_row",), "filter": ("position",)}
    return {f"weights_{name}": (names[name], value) for name, value in found.weights.items()}


def _attention_dataset(params: Params, seed: int, found: Trained) -> Dataset:
    law = found.law
    arrays = _answers("attention", found, params, seed, 5 * law.dim)
    products = arrays.pop("products")[1]
    correlation: Floats = products.sum(axis=1)
    # The odd part is linear in X'y: the pseudo-inverse recovers the map exactly, whatever it is.
    odd: Floats = arrays["odd"][1]
    measured = (np.linalg.pinv(correlation) @ odd).T
    return Dataset(
        {
            **arrays,
            **_weights(found),
            "correlation": (("prompt", "feature"), correlation, {"long_name": "X'y"}),
            "preconditioner": (("row", "column"), measured, {"long_name": "W of the trained layer"}),
        }
    )


def _h3_dataset(params: Params, seed: int, found: Trained) -> Dataset:
    torch: Any = import_module("torch")

    law = found.law
    arrays = _answers("h3", found, params, seed, (law.length + 4) * law.dim)
    name, products, about = arrays["products"]
    arrays["products"] = (name, products.astype(np.float32), about)
    # One example (e_k, 1) at one position of an otherwise empty prompt, and the same with its label negated.
    probes = torch.zeros(1, law.length * law.dim, law.length, law.dim + 1, dtype=torch.float64)
    flat = torch.arange(law.length * law.dim)
    probes[0, flat, flat // law.dim, flat % law.dim] = 1.0
    probes[0, flat, flat // law.dim, -1] = 1.0
    negated = probes.clone()
    negated[..., -1] *= -1
    with torch.no_grad():
        module = module_of("h3", found.weights, law)
        response = (module.direction(probes) - module.direction(negated))[0].numpy() / 2
    impulse = response.reshape(law.length, law.dim, law.dim).transpose(0, 2, 1)
    about = {"long_name": "response to one example alone: omega_i W"}
    return Dataset({**arrays, **_weights(found), "impulse": (("position", "row", "column"), impulse, about)})


def _softmax_dataset(params: Params, seed: int, found: Trained) -> Dataset:
    law, sampler = found.law, sampler_of(found.law, seed, TEST_STREAM)
    drawn = sampler.draw(_prompt_count(law, params.replicates, 4 * law.dim))
    truth, error = softmax_errors(found, sampler, drawn)
    correlation = (drawn.tokens[0, :, :, :-1] * drawn.tokens[0, :, :, -1:]).sum(dim=1).numpy()
    about = {"long_name": "squared error on a fresh prompt, its label noise averaged"}
    return Dataset(
        {
            "error": (("prompt",), error, about),
            "truth": (("prompt",), truth, {"long_name": "label of the query without noise"}),
            "query": (("prompt", "feature"), drawn.query[0].numpy(), {}),
            "correlation": (("prompt", "feature"), correlation, {"long_name": "X'y"}),
            "loss": (("step",), found.losses, {"long_name": "training loss"}),
        }
    )


Record = Callable[[Params, int, Trained], Dataset]


def _trained(model: str, record: Record) -> Run[Params, Regression]:
    def run(
        params: Params, replicates: Sequence[Replicate[Regression]], device: str, emit: Emit, stop: Stop
    ) -> list[Dataset]:
        laws = [law_of(params, replicate.problem) for replicate in replicates]
        sampled = model == "softmax" or not all(law.query_integrates for law in laws)
        seeds = [replicate.seed for replicate in replicates]
        models = train(
            model,
            laws,
            seeds,
            params.steps,
            params.batch_size,
            query="sampled" if sampled else params.query,
            device=device,
            emit=progress(emit),
            stop=stop,
        )
        return [
            record(params, seed, found) if found.finite else DIVERGED for seed, found in zip(seeds, models, strict=True)
        ]

    return run


def _plan(model: str) -> Callable[[Params, Regression, int], Plan]:
    def plan(params: Params, problem: Regression, replicates: int) -> Plan:
        law = law_of(params, problem)
        short = default_statistics(model, [law])
        entries = params.batch_size * (law.dim + 2 if short else law.length) * (law.dim + 1)
        work = entries * (SECONDS_PER_ENTRY[model] + (law.dim * 2e-10 if model == "h3" else 0.0))
        kept = _prompt_count(law, params.replicates, 5 * law.dim)
        test = kept * law.length * (law.dim + 1)
        seconds = 0.5 + params.steps * (1.5e-3 + replicates * work) + 1e-7 * replicates * test
        record = min(test, LARGEST_RECORD) if model == "h3" else 5 * kept * law.dim
        return Plan(seconds, 16 * replicates * (entries + record) + 60 * test, "seed")

    return plan


SECONDS_PER_ENTRY = {"attention": 3e-8, "h3": 4e-8, "softmax": 4e-8}
"""Measured on one core, forward, backward and sampling together."""
_USES = LAW | {"steps", "batch_size", "replicates"}


def _experiment(model: str, record: Record, uses: frozenset[str]) -> Experiment[Params, Regression]:
    return Experiment(f"icl/trained_{model}", uses, "seed", _plan(model), _trained(model, record))


trained_attention = _experiment("attention", _attention_dataset, _USES | {"query"})
trained_h3 = _experiment("h3", _h3_dataset, _USES | {"query"})
trained_softmax = _experiment("softmax", _softmax_dataset, _USES)
