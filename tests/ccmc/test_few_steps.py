"""The exact law of a few tokens, against every continuation one by one and against the sampler."""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import numpy as np
import pytest

from theory.ccmc.few_steps import few_step_law
from theory.ccmc.problem import prompt_of_counts
from theory.ccmc.simulation.sampling import simulate
from theory.core.errors import DataError, ParameterError

CHAIN = np.array([[0.2, 0.5, 0.3], [0.6, 0.4, 0.0], [0.25, 0.45, 0.3]])


@pytest.mark.parametrize(("counts", "last"), [((1, 2, 1), 1), ((3, 0, 1), 2)])
@pytest.mark.parametrize("n_tokens", [0, 1, 5])
def test_is_the_sum_over_all_continuations(counts: tuple[int, ...], last: int, n_tokens: int) -> None:
    expected: dict[tuple[int, ...], float] = defaultdict(float)
    for tail in product(range(3), repeat=n_tokens):
        so_far, before, chance = np.array(counts, dtype=float), last, 1.0
        for token in tail:
            mass = so_far * CHAIN[before]
            chance *= mass[token] / mass.sum()
            so_far[token] += 1
            before = token
        if chance:
            expected[(*so_far.astype(int).tolist(), before)] += chance
    law = few_step_law(CHAIN, counts, last, n_tokens)
    found = {
        (*row, end): p for row, end, p in zip(law.counts.tolist(), law.last.tolist(), law.probability, strict=True)
    }
    assert found.keys() == expected.keys()
    assert all(np.isclose(found[state], chance) for state, chance in expected.items())


def test_the_sampler_has_its_mean() -> None:
    law, prompt = few_step_law(CHAIN, [1, 2, 1], 1, 30), prompt_of_counts([1, 2, 1], 1)
    ends = simulate(CHAIN, prompt, 34, range(4000), times=np.array([34])).counts[:, 0]
    mean = law.probability @ law.counts
    error = np.sqrt((law.probability @ law.counts**2 - mean**2) / len(ends))
    assert law.probability.sum() == pytest.approx(1)
    assert (np.abs(ends.mean(axis=0) - mean) < 4 * error).all()


def test_what_has_no_law_is_refused() -> None:
    with pytest.raises(DataError, match="allows no token"):
        few_step_law([[0.5, 0.5], [1.0, 0.0]], [0, 1], 1, 3)
    with pytest.raises(DataError, match="must be in the prompt"):
        few_step_law(CHAIN, [1, 0, 1], 1, 3)
    for n_tokens in (-1, 1.5, 10**6):
        with pytest.raises(ParameterError, match="n_tokens"):
            few_step_law(CHAIN, [1, 1, 1], 1, n_tokens)  # pyright: ignore[reportArgumentType]
