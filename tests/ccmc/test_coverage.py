"""Identifiability by connected components, against the rank of the information and slow closures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.ccmc.data import draw
from theory.ccmc.experiments.coverage import newton_fits
from theory.ccmc.parameters import Params
from theory.ccmc.prompt_coverage import Coverage, coverage, coverage_of, next_prompts
from theory.core.errors import DataError
from theory.core.vocabulary import Replicate

designs = st.integers(2, 5).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.lists(st.lists(st.integers(0, size - 1), min_size=2, max_size=4), min_size=1, max_size=6),
        st.booleans(),
    )
)


def closure(size: int, prompts: list[list[int]], include_self: bool) -> np.ndarray:
    """known[last, i, j] by boolean matrix closure."""
    known = np.repeat(np.eye(size, dtype=bool)[None], size, axis=0)
    for prompt in prompts:
        keys = prompt if include_self else prompt[:-1]
        for i in keys:
            for j in keys:
                known[prompt[-1], i, j] = True
    for k in range(size):
        for middle in range(size):
            known[k] |= np.outer(known[k][:, middle], known[k][middle])
    return known


def information_rank(size: int, prompts: list[list[int]], include_self: bool) -> int:
    transition = np.random.default_rng(0).dirichlet(np.full(size, 3.0), size=size)
    total = 0
    for k in range(size):
        block = np.zeros((size, size))
        for prompt in prompts:
            if prompt[-1] == k:
                mass = transition[k] * np.bincount(prompt if include_self else prompt[:-1], minlength=size)
                law = mass / mass.sum()
                block += np.diag(law) - np.outer(law, law)
        total += int(np.sum(np.linalg.eigvalsh(block) > 1e-9))
    return total


@given(designs)
@settings(max_examples=150)
def test_components_rank_and_known_ratios(design: tuple[int, list[list[int]], bool]) -> None:
    size, prompts, include_self = design
    found = coverage(prompts, size, include_self=include_self)
    assert np.array_equal(found.known, closure(size, prompts, include_self))
    assert found.rank == information_rank(size, prompts, include_self)
    assert found.rank + found.n_unidentifiable == size * (size - 1)
    for k in range(size):
        groups = found.components(k)
        assert sorted(token for group in groups for token in group) == list(range(size))
        assert len(groups) == found.n_components[k] and [min(group) for group in groups] == sorted(map(min, groups))


@given(designs)
def test_with_the_query_among_the_keys_seen_means_connected(design: tuple[int, list[list[int]], bool]) -> None:
    size, prompts, _ = design
    found = coverage(prompts, size)
    for k in range(size):
        together = {token for prompt in prompts if prompt[-1] == k for token in prompt}
        assert (found.n_components[k] == 1) == (len(together) == size)


@given(designs)
def test_suggested_prompts_settle_what_they_say(design: tuple[int, list[list[int]], bool]) -> None:
    size, prompts, include_self = design
    found = coverage(prompts, size, include_self=include_self)
    suggestions = next_prompts(found, include_self=include_self)
    assert sum(suggestion.gain for suggestion in suggestions) == found.n_unidentifiable
    assert [s.gain for s in suggestions] == sorted((s.gain for s in suggestions), reverse=True)
    for suggestion in suggestions:
        more = [*prompts, [*suggestion.tokens, suggestion.last]]
        assert coverage(more, size, include_self=include_self).rank == found.rank + suggestion.gain
    for suggestion in next_prompts(found, 3, include_self=include_self):
        assert len(suggestion.tokens) <= 2
        more = [*prompts, [*suggestion.tokens, suggestion.last]]
        assert coverage(more, size, include_self=include_self).rank == found.rank + suggestion.gain


def test_repeated_and_shuffled_prompts_change_nothing() -> None:
    prompts = [[0, 1, 2], [3, 2], [1, 3]]
    one, other = coverage(prompts, 4), coverage([[1, 0, 2], [3, 2], [1, 3], [1, 3]], 4)
    assert np.array_equal(one.component, other.component)


def test_a_law_is_identifiable_within_one_component() -> None:
    found = coverage([[0, 1, 4], [2, 3, 4]], 5, include_self=False)
    counts = np.array([[1, 1, 0, 0, 0], [2, 0, 1, 0, 0], [0, 0, 3, 0, 0], [0, 0, 0, 1, 1]])
    assert found.identifies(counts, np.full(4, 4)).tolist() == [True, False, True, False]


def test_a_row_never_seen_is_unknown_and_no_crash() -> None:
    found = coverage([[0, 1], [1, 1]], 3)
    assert found.n_components.tolist() == [3, 2, 3] and found.rank == 1
    assert coverage_of(np.zeros((0, 3), dtype=np.int64), np.zeros(0, dtype=np.int64)).rank == 0


@pytest.mark.parametrize(
    ("prompts", "says"), [([], "no training prompts"), ([[0], []], "row 1"), ([[0, 7]], "row 0.*token 7")]
)
def test_bad_prompts_are_named(prompts: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        coverage(prompts, 3)


def test_fits_from_other_starts_agree_exactly_where_components_say() -> None:
    params = Params(chain="random", vocab_size=4, n_samples=100, prompt_length=3, include_self="no", islands=2)
    chain = draw(params, 1)
    raw = newton_fits.run(params, [Replicate(chain, 0)], "cpu", lambda *_: None, lambda: False)[0]
    found: Coverage = coverage_of(chain.counts, chain.last)
    ratios = raw.fitted.values[..., :, None] - raw.fitted.values[..., None, :]
    spread = np.ptp(ratios, axis=0)
    assert spread[found.known].max() < 1e-8 and spread[~found.known].min() > 0.02
    assert int(raw.information_rank) == found.rank < 12
    true = np.log(chain.transition)[:, :, None] - np.log(chain.transition)[:, None, :]
    assert np.abs((ratios - true)[:, found.known]).max() < 1e-8


def test_a_chain_with_zeros_says_so() -> None:
    params = Params(transition=((1.0, 0.0), (0.5, 0.5)))
    raw = newton_fits.run(params, [Replicate(draw(params, 0), 0)], "cpu", lambda *_: None, lambda: False)[0]
    assert "zeros" in raw.attrs["not_run"]
