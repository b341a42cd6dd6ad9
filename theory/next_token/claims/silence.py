"""The claim about prompts on which the data are silent: several components that no training prompt compares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.core.vocabulary import Assumption, Check, Claim, Rival
from theory.next_token.automaton import Prediction, automaton_next, automaton_tolerance
from theory.next_token.claims import assumptions as needs
from theory.next_token.claims.answers import (
    answers_table,
    asked_prompts,
    move_mass,
    program_needs,
    trained_distribution,
    worst,
)
from theory.next_token.claims.limits import TRAINED
from theory.next_token.claims.measures import at_step, total_variation
from theory.next_token.experiments.descent import training
from theory.next_token.graph import priority_structure
from theory.next_token.parameters import Params
from theory.next_token.problem import Prompts
from theory.next_token.schedule import log_times
from theory.next_token.structure import Solution, solve

Floats = npt.NDArray[np.float64]


def _silent(params: Params, prompts: Prompts) -> tuple[Solution, list[tuple[int, ...]], list[Prediction], float]:
    """Prompts that training never decides by order, whose limit the theory still knows and time has resolved."""
    solution = solve(prompts)
    time = float(log_times(params, prompts)[-1])
    asked: list[tuple[int, ...]] = []
    answers: list[Prediction] = []
    for prompt in asked_prompts(solution):
        answer = automaton_next(solution, prompt)
        decided = answer.certificate in ("decided_by_margin", "contains_unseen") and answer.detail.tie == "none"
        settled = answer.detail.tie == "finite_odds"
        if (decided or settled) and automaton_tolerance(solution, prompt, answer, time) <= 0.1:
            asked.append(prompt)
            answers.append(answer)
    return solution, asked, answers, time


def _incomparable_needs(params: Params, prompts: Prompts) -> tuple[Assumption, ...]:
    found = (*program_needs(params, prompts), needs.zero_start(params), needs.orthonormal(prompts))
    if not all(assumption.holds for assumption in found):
        return found
    count = len(_silent(params, prompts)[1])
    return (*found, Assumption("some open prompt", count > 0, f"{count} prompts that order leaves open are resolved"))


def _predict_incomparable(params: Params, prompts: Prompts) -> Dataset:
    solution, asked, answers, time = _silent(params, prompts)
    size = prompts.vocab_size
    rows = np.stack([answer.distribution for answer in answers]) if answers else np.zeros((0, size))
    return answers_table(solution, asked, answers, rows, time)


def _compare_incomparable(params: Params, prompts: Prompts, prediction: Dataset, raw: Dataset) -> tuple[Check, ...]:
    """Total variation for prompts that order leaves open. A losing level g below falls like (step size x steps)^-g,
    settled odds relax with the room's exponent; prompts whose bound still exceeds 0.1 are not judged."""
    if prediction.sizes["prompt"] == 0:
        return ()
    measured = trained_distribution(prediction, at_step(raw.logits))
    distance = total_variation(measured, prediction.probability.values)
    return (worst("total variation, prompts that order leaves open", distance, prediction.bound.values, 0.1),)


def _rewritten_silent(
    rewrite: Callable[[Solution, tuple[int, ...], Prediction], Floats],
) -> Callable[[Any, Any], Dataset]:
    def predict(params: Params, prompts: Prompts) -> Dataset:
        solution, asked, answers, time = _silent(params, prompts)
        rows = [rewrite(solution, prompt, answer) for prompt, answer in zip(asked, answers, strict=True)]
        size = prompts.vocab_size
        return answers_table(solution, asked, answers, np.stack(rows) if rows else np.zeros((0, size)), time)

    return predict


def _equal_split(solution: Solution, prompt: tuple[int, ...], answer: Prediction) -> Floats:
    """All tokens that nothing present has priority over share evenly."""
    structure = priority_structure(solution.prompts)
    last = prompt[-1]
    tokens = sorted(set(prompt))
    beaten = [any(structure.has_priority(other, token, last) for other in tokens) for token in tokens]
    share = np.zeros(solution.prompts.vocab_size)
    share[[token for token, lost in zip(tokens, beaten, strict=True) if not lost]] = 1.0
    return share / share.sum()


def _raw_frequencies(solution: Solution, prompt: tuple[int, ...], answer: Prediction) -> Floats:
    """Winners share in proportion to how often each was the label, occurrences ignored."""
    prompts, last = solution.prompts, prompt[-1]
    labels = np.bincount(prompts.labels[prompts.last == last], minlength=prompts.vocab_size).astype(float)
    labels[answer.distribution == 0] = 0.0
    return labels / labels.sum() if labels.sum() > 0 else answer.distribution


_TWICE = {
    "sequences": [[0, 0, 2], [0, 0, 2], [0, 0, 2], [1, 2]],
    "labels": [0, 0, 0, 1],
    "steps": 100_000,
}

incomparable_tokens = Claim(
    id="incomparable-tokens",
    title="Where the data are silent, minimum norm and frequencies decide",
    statement="A prompt may hold several components that no training prompt compares. The higher Graph-SVM level wins, "
    "although the data never said so; equal levels settle at odds set by training frequencies; a token never seen with "
    "this last token keeps its initial logit.",
    latex=r"\frac{p(A)}{p(B)}\;\to\;\begin{cases}\infty & z_A>z_B\\[2pt] \frac{\sum_A c_je^{f_j}}{\sum_B c_je^{f_j}}\,"
    r"e^{\tilde z_A-\tilde z_B} & z_A=z_B\end{cases}",
    source="ours, beyond arXiv 2403.08081",
    kind="extension",
    defaults={},
    uses=TRAINED,
    resolution=0.1,
    assumptions=_incomparable_needs,
    predict=_predict_incomparable,
    compare=_compare_incomparable,
    mutate=move_mass,
    experiment=training,
    rivals=(
        Rival("even split", _rewritten_silent(_equal_split), {}, "shares evenly between incomparable tokens"),
        Rival("label frequencies", _rewritten_silent(_raw_frequencies), _TWICE, "ignores occurrences in the prompts"),
    ),
    power="0 false alarms in 150 fresh instances each at 10^4 and 10^5 steps; a total variation of 0.2 is rejected by "
    "every instance",
)
