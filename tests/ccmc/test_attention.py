"""The map between attention weights and base chains, against attention written out token by token."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from theory.ccmc import mapping as attention
from theory.ccmc.data import draw
from theory.ccmc.experiments.mapping import any_weights, attend, subspace_weights
from theory.ccmc.mapping import (
    ccmc_next,
    condition_number,
    gram_of,
    head_of,
    position_terms,
    position_weights,
    transition_of,
    weighted_next,
    weights_of,
)
from theory.ccmc.parameters import Params
from theory.core.errors import DataError

P = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.25, 0.15, 0.6]])


def random_chain(seed: int, size: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(size), size=size)


def by_hand(prompt: list[int], transition: np.ndarray) -> list[float]:
    """The law by looping over positions with plain floats."""
    weights = [float(transition[prompt[-1], token]) for token in prompt]
    return [
        sum(w for w, t in zip(weights, prompt, strict=True) if t == j) / sum(weights) for j in range(len(transition))
    ]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_next_law_is_the_sum_over_positions(prompt: list[int]) -> None:
    law = ccmc_next(np.bincount(prompt, minlength=3), prompt[-1], P)
    assert np.allclose(law, by_hand(prompt, P), atol=1e-15) and math.isclose(law.sum(), 1)


def test_batches_are_one_gather() -> None:
    counts, last = np.array([[[1, 2, 0], [1, 1, 1]], [[3, 0, 0], [0, 5, 1]]]), np.array([[1, 0], [0, 2]])
    found = ccmc_next(counts, last, P)
    assert found.shape == (2, 2, 3)
    for index in np.ndindex(2, 2):
        assert np.array_equal(found[index], ccmc_next(counts[index], last[index], P))


def test_a_masked_query_need_not_be_counted() -> None:
    assert np.allclose(ccmc_next([0, 1, 1], 0, P, include_self=False), [0, 0.625, 0.375], atol=1e-15)


@pytest.mark.parametrize(
    ("counts", "last", "code", "says"),
    [
        ([0, 0, 0], 0, "prompt_empty", "no keys"),
        ([0, 1, 1], 0, "last_not_in_counts", "last token 0 has count 0"),
        ([1, -1, 1], 0, "count_not_whole", "token 1 has count -1"),
        ([1, 0.5, 1], 0, "count_not_whole", "token 1 has count 0.5"),
        ([1, math.nan, 1], 0, "count_not_whole", "token 1 has count nan"),
        ([1, math.inf, 1], 0, "count_not_whole", "token 1 has count inf"),
        ([1, 1, 1], 3, "token_out_of_range", "last token 3; expected 0 to 2"),
        ([1, 1, 1], 0.0, "token_not_integer", "whole numbers"),
        ([1, 1], 0, "counts_shape", r"\(2,\)"),
        ([[1, 1, 1], [1, 0, 0]], [0, 1], "last_not_in_counts", "row 1: the last token 1"),
    ],
)
def test_bad_prompts_are_named(counts: Any, last: Any, code: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        ccmc_next(counts, last, P)
    assert caught.value.code == code


def test_a_row_that_allows_nothing_is_an_error_and_not_nan() -> None:
    forbidding = np.array([[0.0, 1.0], [0.5, 0.5]])
    with pytest.raises(DataError, match="row 0 of P allows no token that is in the prompt"):
        ccmc_next([2, 0], 0, forbidding)
    assert ccmc_next([2, 1], 0, forbidding).tolist() == [0, 1]


@given(seed=st.integers(0, 10_000), size=st.integers(2, 6), extra=st.integers(0, 4))
@settings(max_examples=50)
def test_weights_and_chain_determine_each_other(seed: int, size: int, extra: int) -> None:
    generator = np.random.default_rng(seed)
    transition, embed = random_chain(seed, size), generator.standard_normal((size, size + extra))
    allowed = 1e-12 * condition_number(embed)
    weights = weights_of(transition, embed)
    assert np.abs(transition_of(weights, embed) - transition).max() <= allowed
    assert np.abs(head_of(embed) @ embed.T - np.eye(size)).max() <= allowed
    # In S: no component outside the span of (e_i − e_j) e_k'.
    basis = np.stack([np.outer(embed[i] - embed[0], embed[k]).ravel() for i in range(1, size) for k in range(size)])
    coefficients = np.linalg.lstsq(basis.T, weights.ravel(), rcond=None)[0]
    scale = max(1.0, float(np.abs(weights).max()))
    assert np.abs(basis.T @ coefficients - weights.ravel()).max() <= allowed * scale
    assert np.linalg.matrix_rank(basis) == size * (size - 1)


def test_orthonormal_weights_are_as_large_as_the_centred_logits() -> None:
    embed = np.linalg.qr(np.random.default_rng(0).standard_normal((7, 3)))[0].T
    centred = np.log(P) - np.log(P).mean(axis=1, keepdims=True)
    assert math.isclose(np.linalg.norm(weights_of(P, embed)), np.linalg.norm(centred), rel_tol=1e-12)


def test_least_squares_in_the_subspace_finds_the_same_weights() -> None:
    problem = draw(Params(chain="random", vocab_size=5, embedding="gaussian"), 3)
    assert np.allclose(subspace_weights(problem)[0], weights_of(problem.transition, problem.vectors), atol=1e-11)
    assert not np.allclose(any_weights(problem), weights_of(problem.transition, problem.vectors), atol=1e-2)


@pytest.mark.parametrize(
    ("embed", "says"),
    [
        (np.ones((3, 3)), "rank 1 of 3"),
        (np.eye(3)[:, :2], "rank 2 of 3"),
        (np.eye(3) + 1e6 * np.ones((3, 3)), "condition number"),
    ],
)
def test_dependent_embeddings_are_refused(embed: np.ndarray, says: str) -> None:
    for use in (gram_of, head_of, lambda vectors: weights_of(P, vectors)):
        with pytest.raises(DataError, match=f"{says}.*P does not determine W"):
            use(embed)


def test_zeros_have_no_weights() -> None:
    with pytest.raises(DataError, match="row 1 of P is 0 at token 0"):
        weights_of(np.array([[0.5, 0.5], [0.0, 1.0]]), np.eye(2))


@given(logits=arrays(float, 6, elements=st.floats(-5, 5)), shift=st.floats(-50, 50))
def test_position_weights_are_a_weighted_count(logits: np.ndarray, shift: float) -> None:
    prompt = np.array([0, 2, 1, 0, 1, 2])
    mass = [sum(math.exp(b) for b, t in zip(logits, prompt, strict=True) if t == j) for j in range(3)]
    for moved in (logits, logits + shift):
        law = weighted_next(position_weights(prompt, moved, 3), np.array(2), P)
        assert np.allclose(law, P[2] * mass / (P[2] @ mass), rtol=1e-10)


def test_all_four_terms_of_position_embeddings() -> None:
    """With cross terms the law still has the form P tilted by the length times weights tilted by the last token."""
    generator = np.random.default_rng(5)
    embed, weights = np.eye(3, 8), generator.standard_normal((8, 8))
    positions = np.hstack([np.zeros((5, 3)), generator.standard_normal((5, 5))])
    prompt = np.array([0, 2, 1, 0, 1])
    terms = position_terms(weights, embed, positions)
    vectors = embed[prompt] + positions
    explicit = attend(vectors, weights, np.eye(3, 8), np.arange(5))
    tilted = np.exp(terms.chain + terms.token_by_length)
    by_position = position_weights(prompt, terms.positions + terms.position_by_last[:, 1], 3)
    assert np.allclose(weighted_next(by_position, np.array(1), tilted), explicit, atol=1e-14)
    clean = weighted_next(position_weights(prompt, terms.positions, 3), np.array(1), np.exp(terms.chain))
    assert np.abs(clean - explicit).max() > 0.01


def test_weights_outside_the_subspace_change_nothing() -> None:
    problem = draw(Params(chain="random", vocab_size=4, embedding="gaussian"), 0)
    weights, left, right = subspace_weights(problem)
    noise = np.random.default_rng(0).standard_normal(weights.shape)
    outside = noise - left @ noise @ right
    assert np.allclose(transition_of(weights + outside, problem.vectors), problem.transition, atol=1e-11)
    assert np.linalg.norm(outside) > 1


def test_public_names() -> None:
    from theory import ccmc

    assert ccmc.weights_of is attention.weights_of and "ccmc_next" in dir(ccmc)
    with pytest.raises(AttributeError, match="attribute nothing"):
        _ = ccmc.nothing
