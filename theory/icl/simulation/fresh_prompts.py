"""Trained layers on prompts that they have not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from theory.icl.model import build
from theory.icl.problem import Floats
from theory.icl.prompt_law import PromptLaw
from theory.icl.simulation.training_prompts import Batch, Sampler, generator_of
from theory.icl.training import Trained, default_statistics
from theory.shared.statistics import Mean, mean_of

TEST_PROMPTS, TEST_STREAM = 2000, 3
SIGMAS = 4.0


def sampler_of(law: PromptLaw, *seed: int, statistics: bool = False) -> Sampler:
    """Prompts of one law from the generator of this seed, in double precision."""
    torch: Any = import_module("torch")

    return Sampler([law], [generator_of(*seed)], statistics=statistics, dtype=torch.float64)


def module_of(name: str, weights: Mapping[str, Floats], law: PromptLaw) -> Any:
    """A trained layer, in double precision."""
    torch: Any = import_module("torch")

    return build(name, [weights], [law.length], dtype=torch.float64)


def softmax_errors(found: Trained, sampler: Sampler, drawn: Batch) -> tuple[Floats, Floats]:
    """Labels of the queries without noise (B,), and the squared error (B,) of softmax attention, noise averaged."""
    torch: Any = import_module("torch")

    with torch.no_grad():
        answer = module_of("softmax", found.weights, found.law)(drawn.tokens, drawn.query, sampler.present)[0].numpy()
        truth = (drawn.query * drawn.task)[0].sum(dim=1).numpy()
    return truth, (truth - answer) ** 2 + found.law.noise_variance


def tested(name: str, models: Sequence[Trained], seeds: Sequence[int], batch_size: int) -> dict[str, Any]:
    """Risks on fresh prompts, with errors from the spread over prompts, and whether the loss had come to rest."""
    torch: Any = import_module("torch")

    risks: list[Mean] = []
    settled: list[bool] = []
    for model, seed in zip(models, seeds, strict=True):
        law = model.law
        drawn = sampler_of(law, seed, TEST_STREAM, statistics=default_statistics(name, [law])).draw(TEST_PROMPTS)
        with torch.no_grad():
            after, before = (
                drawn.error(module_of(name, weights, law).direction(drawn.tokens))[0].numpy()
                for weights in (model.weights, model.earlier)
            )
        risk, fall = mean_of(after + law.noise_variance), mean_of(before - after)
        risks.append(risk)
        margin = SIGMAS * fall.error + 16 * law.dim**2 / (batch_size * len(model.losses)) * risk.mean
        settled.append(fall.mean <= margin)
    return risks_dataset(risks) | {"settled": (("model",), np.array(settled), {"long_name": "the loss had rested"})}


def risks_dataset(risks: Sequence[Mean]) -> dict[str, Any]:
    """Risks (model,) with their standard errors."""
    means, errors = np.array([risk.mean for risk in risks]), np.array([risk.error for risk in risks])
    return {
        "risk": (("model",), means, {"long_name": "risk on fresh prompts, label noise included"}),
        "standard_error": (("model",), errors, {"long_name": "standard error over prompts"}),
    }
