"""Claims about answers to prompts: the learnt program, and what it says where the data are silent.

Every prompt with an answer is asked of the trained model; which ones order decides is found by boolean closure.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.core.vocabulary import Assumption, Check, Claim, Predict, Rival, Symbol
from theory.next_token.automaton import Prediction, all_test_prompts, automaton_next, automaton_tolerance
from theory.next_token.claims import assumptions as needs
from theory.next_token.claims.measures import at_step, time_at, total_variation
from theory.next_token.experiments.descent import training
from theory.next_token.graph import priority_structure
from theory.next_token.parameters import Params
from theory.next_token.problem import Prompts
from theory.next_token.schedule import timeline
from theory.next_token.structure import Solution, solve
from theory.next_token.subspace import reachability

Floats = npt.NDArray[np.float64]
Prompt = tuple[int, ...]
Rule = Callable[[Solution, Prompt, Prediction], Floats]
"""How a wrong automaton answers a prompt that the right one answers as given."""
ENUMERATED = 8
"""Up to this vocabulary size every prompt of distinct tokens is tested; beyond it the training prompts and a sample."""
RESOLVED = 0.1
"""Answers to prompts that order leaves open are judged once time has resolved them to this total variation."""


def _needs(params: Params, prompts: Prompts) -> tuple[Assumption, ...]:
    """Descent that the theory follows, and a limit that the data determine."""
    solution = solve(prompts)
    limit = needs.strict_complementarity if solution.has_direction else needs.separable
    return (*needs.descent(params, prompts), limit(solution))


def asked_prompts(prompts: Prompts, seed: int = 0) -> list[Prompt]:
    """Prompts of distinct tokens for every last token with data: all, or 64 random ones for larger vocabularies."""
    lasts = np.unique(prompts.last).tolist()
    if prompts.vocab_size <= ENUMERATED:
        return [prompt for last in lasts for prompt in all_test_prompts(prompts.vocab_size, last)]
    generator = np.random.default_rng(seed)
    found: list[Prompt] = []
    for _ in range(64):
        last = lasts[int(generator.integers(len(lasts)))]
        chosen = generator.choice(prompts.vocab_size, int(generator.integers(2, 7)), replace=False)
        found.append((*(int(token) for token in chosen if token != last), last))
    return found


def _training_prompts(prompts: Prompts) -> list[Prompt]:
    return sorted({tuple(prompts.sequence(row).tolist()) for row in range(min(prompts.n, 500))})


def _answers(rule: Rule, *, decided: bool) -> Predict[Params, Prompts]:
    """Answers to the prompts that order decides, the training prompts among them, or to those that it leaves open.

    Allowed is an infinite total variation where nothing is claimed. The odds of lower components fall like
    1/(step size x steps): three times the prompt length times the slowest edge's time bounds them, plus the error of
    the finite part. Where order is silent a losing level g below falls like (step size x steps)^-g, and settled odds
    relax with the room's exponent.
    """

    def predict(params: Params, prompts: Prompts) -> Dataset:
        solution, size, time = solve(prompts), prompts.vocab_size, time_at(timeline(params, prompts))
        asked = _training_prompts(prompts) if decided else []
        asked += asked_prompts(prompts) if solution.feasible else []
        pairs = [(prompt, automaton_next(solution, prompt)) for prompt in asked]
        pairs = [pair for pair in pairs if (pair[1].certificate == "comparable") == decided]
        allowed = [automaton_tolerance(solution, *pair, time) if solution.feasible else inf for pair in pairs]
        of_prompt, why = {"not_measured": "the prompt itself"}, {"not_measured": "why the theory answers so"}
        table, reasons = ("prompt", "token"), [(answer.certificate, answer.detail.tie) for _, answer in pairs]
        certificate, tie = np.array(reasons, dtype=object).astype(str).reshape(-1, 2).T
        chances = np.array([rule(solution, *pair) for pair in pairs]).reshape(-1, size)
        counts = np.array([_bag(prompt, size) for prompt, _ in pairs]).reshape(-1, size)
        return Dataset(
            {
                "probability": (table, chances, {"long_name": "next-token probability"}),
                "probability_allowance": ("prompt", np.array(allowed), {"long_name": "allowed total variation"}),
                "counts": (table, counts, of_prompt),
                "last": ("prompt", np.array([prompt[-1] for prompt, _ in pairs], dtype=np.int64), of_prompt),
                "certificate": ("prompt", certificate, why),
                "tie": ("prompt", tie, why),
            }
        )

    return predict


def _measured(*, decided: bool) -> Callable[[Params, Prompts, Dataset], Dataset]:
    """What a model with the last logits of a run answers to the same prompts.

    Order decides a prompt when one of its tokens reaches all others.
    """

    def measure(params: Params, prompts: Prompts, raw: Dataset) -> Dataset:
        asked = (_training_prompts(prompts) if decided else []) + asked_prompts(prompts)
        reach = {last: reachability(prompts, last) for last in np.unique(prompts.last).tolist()}
        tops = [reach[prompt[-1]][np.ix_(prompt, prompt)].all(axis=1) for prompt in asked]
        asked = [prompt for prompt, top in zip(asked, tops, strict=True) if top.any() == decided]
        logits = at_step(raw.logits)[:, [prompt[-1] for prompt in asked]].T
        counts = np.array([_bag(prompt, prompts.vocab_size) for prompt in asked]).reshape(-1, prompts.vocab_size)
        score = np.where(counts > 0, logits, -inf)
        mass = counts * np.exp(score - score.max(axis=1, keepdims=True))
        return Dataset({"probability": (("prompt", "token"), mass / mass.sum(axis=1, keepdims=True))})

    return measure


def _bag(prompt: Prompt, size: int) -> Floats:
    return np.bincount(prompt, minlength=size).astype(np.float64)


def _worst(name: str, prediction: Dataset, measured: Dataset, largest: float, slack: float, resolution: float) -> Check:
    """The prompt that uses most of its allowed total variation, among those with at most ``largest``."""
    distance = total_variation(measured.probability.values, prediction.probability.values)
    allowed = prediction.probability_allowance.values + slack
    judged = np.flatnonzero(allowed <= largest)
    row = judged[int(np.argmax(distance[judged] / np.maximum(allowed[judged], 1e-300)))]
    return Check(
        name=name, deviation=float(distance[row]), allowance=(-inf, float(allowed[row])), resolution=resolution
    )


def _move_mass(prediction: Dataset, amount: float) -> Dataset:
    """Mixes each answer with the uniform distribution over the vocabulary until it is ``amount`` away."""
    uniform = np.full(prediction.sizes["token"], 1 / prediction.sizes["token"])
    distance = total_variation(prediction.probability.values, uniform)[:, None]
    share = np.minimum(amount / np.maximum(distance, 1e-300), 1.0)
    return prediction.assign(probability=prediction.probability * (1 - share) + uniform * share)


def _right(solution: Solution, prompt: Prompt, answer: Prediction) -> Floats:
    return answer.distribution


# --- automaton -------------------------------------------------------------------------------------------------------


def _compare_decided(params: Params, prompts: Prompts, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    rows = measured.isel(prompt=slice(prediction.sizes["prompt"]))  # without margins only training prompts are answered
    return (_worst("total variation, comparable prompts", prediction, rows, inf, 1e-12, 0.05),)


def _uniform_winners(solution: Solution, prompt: Prompt, answer: Prediction) -> Floats:
    return (answer.distribution > 0) / (answer.distribution > 0).sum()


def _counts_ignored(solution: Solution, prompt: Prompt, answer: Prediction) -> Floats:
    mass = answer.distribution / np.maximum(_bag(prompt, solution.prompts.vocab_size), 1)
    return mass / mass.sum()


def _soft_everywhere(solution: Solution, prompt: Prompt, answer: Prediction) -> Floats:
    mass = _bag(prompt, solution.prompts.vocab_size) * np.exp(solution.fin_scores[:, prompt[-1]])
    return mass / mass.sum()


automaton = Claim(
    id="automaton",
    title="Training learns a two-step program: retrieve, then compose",
    short="Retrieve, then compose",
    statement="Given a prompt, the trained model first keeps the tokens of the highest-priority component present, "
    "then mixes them in proportion to occurrences times exponential finite scores.",
    latex=r"p_\infty(j\mid x)=\frac{c_j(x)\,e^{f_j}\,\mathbf 1[j\in C^*]}{\sum_{l\in C^*}c_l(x)\,e^{f_l}}",
    symbols={
        r"p_\infty(j\mid x)": Symbol("limit of the probability of the token j after the prompt x", "probability"),
        "c_j(x)": Symbol("how often the token j occurs in the prompt", "counts"),
        "C^*": Symbol("the highest component that is present in the prompt"),
        r"\mathbf 1": Symbol("one where the condition is true, else zero"),
    },
    source="arXiv 2403.08081, hard retrieval and soft composition; finite-time bound is ours",
    kind="theorem",
    defaults={},
    uses=needs.TRAINED,
    resolution=0.05,
    assumptions=_needs,
    predict=_answers(_right, decided=True),
    measure=_measured(decided=True),
    compare=_compare_decided,
    mutate=_move_mass,
    experiment=training,
    rivals=(
        Rival("uniform composition", _answers(_uniform_winners, decided=True), {}, "mixes the winners evenly"),
        Rival("counts ignored", _answers(_counts_ignored, decided=True), {}, "forgets how often a token occurs"),
        Rival(
            "no hard retrieval",
            _answers(_soft_everywhere, decided=True),
            {},
            "lets lower components keep their soft weights",
        ),
    ),
    power="0 false alarms in 150 fresh instances each at 10^4 and 10^5 steps, none undecided; a total variation of 0.1 "
    "is rejected by every instance",
)


# --- incomparable-tokens ---------------------------------------------------------------------------------------------


def _resolved(prediction: Dataset) -> int:
    return int((prediction.probability_allowance <= RESOLVED).sum())


def _compare_open(params: Params, prompts: Prompts, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Prompts whose allowance still exceeds 0.1 are not judged."""
    if not _resolved(prediction):
        return ()
    return (_worst("total variation, prompts that order leaves open", prediction, measured, RESOLVED, 0.0, 0.1),)


def _open_needs(params: Params, prompts: Prompts) -> tuple[Assumption, ...]:
    found = (*_needs(params, prompts), needs.zero_start(params), needs.orthonormal(prompts))
    if not all(assumption.holds for assumption in found):
        return found
    count = _resolved(_answers(_right, decided=False)(params, prompts))
    return (*found, Assumption("some open prompt", count > 0, f"{count} prompts that order leaves open are resolved"))


def _equal_split(solution: Solution, prompt: Prompt, answer: Prediction) -> Floats:
    """All tokens that nothing present has priority over share evenly."""
    structure = priority_structure(solution.prompts)
    last = prompt[-1]
    tokens = sorted(set(prompt))
    beaten = [any(structure.has_priority(other, token, last) for other in tokens) for token in tokens]
    share = np.zeros(solution.prompts.vocab_size)
    share[[token for token, lost in zip(tokens, beaten, strict=True) if not lost]] = 1.0
    return share / share.sum()


def _raw_frequencies(solution: Solution, prompt: Prompt, answer: Prediction) -> Floats:
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
    short="Where data are silent",
    statement="A prompt may hold several components that no training prompt compares. The higher Graph-SVM level wins, "
    "although the data never said so; equal levels settle at odds set by training frequencies; a token never seen with "
    "this last token keeps its initial logit.",
    latex=r"\frac{p(A)}{p(B)}\;\to\;\begin{cases}\infty & z_A>z_B\\[2pt] \frac{\sum_A c_je^{f_j}}{\sum_B c_je^{f_j}}\,"
    r"e^{\tilde z_A-\tilde z_B} & z_A=z_B\end{cases}",
    symbols={
        "p(A)": Symbol("probability of the tokens of the component A together", "probability"),
        "p(B)": Symbol("probability of the tokens of the component B together"),
        "z_A": Symbol("Graph-SVM level of the component A"),
        "z_B": Symbol("Graph-SVM level of the component B"),
        "c_j": Symbol("how often the token j occurs in the prompt", "counts"),
        r"\tilde z_A": Symbol("offset of the component A"),
        r"\tilde z_B": Symbol("offset of the component B"),
    },
    source="ours, beyond arXiv 2403.08081",
    kind="extension",
    defaults={"data_seed": 27},
    uses=needs.TRAINED,
    resolution=0.1,
    assumptions=_open_needs,
    predict=_answers(_right, decided=False),
    measure=_measured(decided=False),
    compare=_compare_open,
    mutate=_move_mass,
    experiment=training,
    rivals=(
        Rival("even split", _answers(_equal_split, decided=False), {}, "shares evenly between incomparable tokens"),
        Rival(
            "label frequencies", _answers(_raw_frequencies, decided=False), _TWICE, "ignores occurrences in the prompts"
        ),
    ),
    power="0 false alarms in 150 fresh instances each at 10^4 and 10^5 steps; a total variation of 0.2 is rejected by "
    "every instance",
)
