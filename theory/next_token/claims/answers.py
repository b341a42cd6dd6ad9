"""What claims about answers to prompts share: which prompts are asked, the table of answers, its worst row."""

from __future__ import annotations

from math import inf

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.core.vocabulary import Assumption, Check
from theory.next_token.automaton import Prediction, all_test_prompts, automaton_tolerance
from theory.next_token.claims import assumptions as needs
from theory.next_token.claims.measures import has_direction, total_variation
from theory.next_token.parameters import Params
from theory.next_token.problem import Prompts
from theory.next_token.structure import Solution, solve

Floats = npt.NDArray[np.float64]
ENUMERATED = 8
"""Up to this vocabulary size every prompt of distinct tokens is tested; beyond it the training prompts and a sample."""


def program_needs(params: Params, prompts: Prompts) -> tuple[Assumption, ...]:
    """What the learnt program needs: descent that the theory follows, and a limit that the data determine."""
    solution = solve(prompts)
    found = (
        needs.labels_present(prompts),
        needs.embeddings_independent(prompts),
        needs.plain_descent(params),
        needs.step_size_safe(params),
    )
    if not has_direction(solution):
        return (*found, needs.separable(solution))
    return (*found, needs.strict_complementarity(solution))


def asked_prompts(solution: Solution, seed: int = 0) -> list[tuple[int, ...]]:
    """Prompts of distinct tokens for every last token with data: all, or 64 random ones for larger vocabularies."""
    if not solution.feasible:
        return []  # only the order is known then, and it decides the training prompts
    prompts = solution.prompts
    lasts = [int(k) for k in solution.condensation.columns]
    if prompts.vocab_size <= ENUMERATED:
        return [prompt for k in lasts for prompt in all_test_prompts(solution, k)]
    generator = np.random.default_rng(seed)
    found: list[tuple[int, ...]] = []
    for _ in range(64):
        last = lasts[int(generator.integers(len(lasts)))]
        chosen = generator.choice(prompts.vocab_size, int(generator.integers(2, 7)), replace=False)
        found.append((*(int(token) for token in chosen if token != last), last))
    return found


def answers_table(
    solution: Solution, asked: list[tuple[int, ...]], answered: list[Prediction], probability: Floats, log_time: float
) -> Dataset:
    """Predicted distributions with the prompts (as counts), their certificates and the claimed bounds."""
    counts = np.zeros((len(asked), solution.prompts.vocab_size))
    for row, prompt in enumerate(asked):
        np.add.at(counts[row], list(prompt), 1.0)
    known = solution.feasible
    bound = [
        automaton_tolerance(solution, prompt, answer, log_time) if known else inf
        for prompt, answer in zip(asked, answered, strict=True)
    ]
    return Dataset(
        {
            "probability": (("prompt", "token"), probability, {"long_name": "next-token probability"}),
            "counts": (("prompt", "token"), counts),
            "last": (("prompt",), np.array([prompt[-1] for prompt in asked], dtype=np.int64)),
            "bound": (("prompt",), np.array(bound), {"long_name": "allowed total variation"}),
            "certificate": (
                ("prompt",),
                np.array([answer.certificate for answer in answered], dtype=object).astype(str),
            ),
            "tie": (("prompt",), np.array([answer.detail.tie for answer in answered], dtype=object).astype(str)),
        }
    )


def trained_distribution(prediction: Dataset, logits: Floats) -> Floats:
    """What a model with these logits answers to the prompts of ``prediction``, shape (prompt, token)."""
    counts = prediction.counts.values
    score = np.where(counts > 0, logits[:, prediction["last"].values].T, -inf)
    mass = counts * np.exp(score - score.max(axis=1, keepdims=True))
    return mass / mass.sum(axis=1, keepdims=True)


def worst(name: str, distance: Floats, bound: Floats, resolution: float) -> Check:
    """The prompt that uses most of its bound."""
    row = int(np.argmax(distance / np.maximum(bound, 1e-300)))
    return Check(name=name, deviation=float(distance[row]), allowance=(-inf, float(bound[row])), resolution=resolution)


def move_mass(prediction: Dataset, amount: float) -> Dataset:
    """Mixes each answer with the uniform distribution over the vocabulary until it is ``amount`` away."""
    uniform = np.full(prediction.sizes["token"], 1 / prediction.sizes["token"])
    distance = total_variation(prediction.probability.values, uniform)[:, None]
    share = np.minimum(amount / distance, 1.0)
    return prediction.assign(probability=prediction.probability * (1 - share) + uniform * share)
