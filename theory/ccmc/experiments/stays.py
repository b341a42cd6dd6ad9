"""Texts from a short prompt, and from long prompts near every resting mixture: where they end, and whether they stay.

The resting mixtures are found without theory: on each set of tokens, shares at which the flow (integrated from its
definition in :mod:`theory.ccmc.experiments.flows`) stands still, whether it attracts or not; some of those that repel
may be missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, cast

import numpy as np
from scipy.optimize import root
from xarray import Dataset

from theory.ccmc.experiments.flows import growth
from theory.ccmc.experiments.generation import generation
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats, prompt_of_counts
from theory.ccmc.simulation.sampling import simulate
from theory.core.errors import Cancelled
from theory.core.vocabulary import Emit, Experiment, Plan, Replicate, Stop

LENGTH, STRETCH, TEXTS = 10_000, 10, 2
"""Tokens of a long prompt, how much longer its texts become, and how many there are."""
BESIDE = 0.003
"""Share of each token that is not in the mixture."""
MOST_SETS = 5
"""Up to so many tokens, all sets of tokens are tried; beyond, single tokens only."""
AT_REST, PRESENT = 1e-9, 1e-3


def resting_mixtures(transition: Floats) -> Floats:
    """Shares (F, K) at which the flow stands still, one for each set of tokens that has some, by least squares."""
    size = len(transition)
    found: list[Floats] = []
    for count in range(1, (size if size <= MOST_SETS else 1) + 1):
        for members in combinations(range(size), count):
            inside = _at_rest(transition[np.ix_(members, members)])
            if inside is not None:
                found.append(np.zeros(size))
                found[-1][list(members)] = inside
    return np.array(found).reshape(-1, size)


def _at_rest(block: Floats) -> Floats | None:
    """Positive shares (s,) at which the flow of a block (s, s) of P stands still, or None."""
    if len(block) == 1:
        return np.ones(1) if block[0, 0] > 0 else None
    if (block <= 0).any():
        return None

    def speed(logits: Floats) -> Floats:
        return growth(block, np.append(logits, 0.0))[:-1]

    answer: Any = cast(Any, root)(speed, np.zeros(len(block) - 1), method="lm")  # its type hints are partial
    logits: Floats = np.append(np.asarray(answer.x, dtype=np.float64), 0.0)
    powers: Floats = np.exp(logits - logits.max())
    shares: Floats = powers / powers.sum()
    rests = bool(np.isfinite(shares).all()) and float(shares.min()) > PRESENT
    still = float(np.max(np.abs(growth(block, np.log(np.maximum(shares, 1e-300))))))
    return shares if rests and still < AT_REST else None


def prompt_near(mixture: Floats) -> Floats:
    """Counts (K,) of a long prompt near a mixture (K,): every token that is not in it has a small share."""
    beside = np.where(mixture > 0, 0.0, BESIDE)
    exact: Floats = LENGTH * (beside + (1 - float(beside.sum())) * mixture)
    return exact.round()


def _run(params: Params, replicates: Sequence[Replicate[Chain]], device: str, emit: Emit, stop: Stop) -> list[Dataset]:
    texts = generation.run(params, replicates, device, emit, stop)
    return [_with_stays(text, replicate, stop) for text, replicate in zip(texts, replicates, strict=True)]


def _with_stays(text: Dataset, replicate: Replicate[Chain], stop: Stop) -> Dataset:
    """Adds the mixtures, and the shares of texts that began near them."""
    chain = replicate.problem
    mixtures = resting_mixtures(chain.transition)
    ends = np.empty((TEXTS, *mixtures.shape))
    for index, mixture in enumerate(mixtures):
        if stop():
            raise Cancelled
        prompt = prompt_of_counts(prompt_near(mixture), int(mixture.argmax()))
        end = STRETCH * len(prompt)
        seeds = [(replicate.seed, 1_000_000 + TEXTS * index + run) for run in range(TEXTS)]
        runs = simulate(chain.transition, prompt, end, seeds, times=np.array([end]), stop=stop)
        ends[:, index] = runs.counts[:, -1] / end
    return text.assign(
        mixture=(("rest", "token"), mixtures, {"long_name": "shares at rest"}),
        stayed=(("text", "rest", "token"), ends, {"long_name": "shares of a text that began there"}),
    )


def _plan(params: Params, problem: Chain, replicates: int) -> Plan:
    size = problem.vocab_size
    sets = 2**size - 1 if size <= MOST_SETS else size
    plain = generation.plan(params, problem, replicates)
    return replace(plain, seconds=plain.seconds + 1e-7 * sets * TEXTS * STRETCH * LENGTH * replicates)


stays = Experiment("ccmc/stays", generation.uses, "seed", _plan, _run)
