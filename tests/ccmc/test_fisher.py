"""Fisher information against the shared choice model, automatic differentiation, linear maps and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.ccmc.data import draw
from theory.ccmc.fisher import Information, descent_steps, fisher_blocks, information_of, weights_curvature
from theory.ccmc.label_sets import curvature_bound
from theory.ccmc.mapping import weights_of
from theory.ccmc.model import attention_layer, head_of_chain
from theory.ccmc.parameters import Params
from theory.ccmc.prompt_coverage import coverage_of
from theory.shared.choice import estimation_variance, fisher_information


def test_blocks_are_those_of_the_choice_model() -> None:
    chain = draw(Params(chain="random", vocab_size=4, n_samples=500), 0)
    found = information_of(chain)
    total = 0.0
    for k in range(4):
        rows = chain.last == k
        block = fisher_information(chain.counts[rows], np.log(chain.transition[k]), chain.weight[rows])
        np.testing.assert_allclose(found.blocks[k] * chain.n_samples, block, atol=1e-10)
        total += estimation_variance(block)
    assert found.constant / chain.n_samples == pytest.approx(total, rel=1e-9)
    assert found.rank == 12 and (found.variances > 0).all()


@pytest.mark.parametrize("size", [2, 3, 5])
def test_uniform_chain_and_long_prompts_have_the_constant_k_cubed_times_k_less_1(size: int) -> None:
    """Prompts so long that every token has the same share: exactly one prompt per last token."""
    counts, last = np.full((size, size), 10**6), np.arange(size)
    uniform = np.full((size, size), 1 / size)
    blocks = fisher_blocks(counts, last, np.ones(size), uniform)
    found = Information(blocks, coverage_of(counts, last))
    assert found.constant == pytest.approx(size**3 * (size - 1), rel=1e-9)


def test_short_prompts_are_worse() -> None:
    chain = draw(Params(chain="uniform", vocab_size=4, prompt_length=5, n_samples=100_000), 0)
    assert information_of(chain).constant == pytest.approx(257.1, rel=0.01)


@pytest.mark.parametrize(
    ("values", "full"),
    [({"unseen_pairs": 3}, False), ({"islands": 2, "include_self": "no"}, False), ({"islands": 3}, True)],
)
def test_rank_and_inverse_leave_out_what_prompts_cannot_show(values: dict[str, object], full: bool) -> None:
    chain = draw(Params(chain="random", vocab_size=5, n_samples=4000, prompt_length=5).with_values(**values), 2)
    found = information_of(chain)
    ranks = [np.linalg.matrix_rank(block, tol=1e-9, hermitian=True) for block in found.blocks]
    assert found.ranks.tolist() == ranks and found.rank == sum(ranks) and (found.rank == 20) == full
    for block, inverse in zip(found.blocks, found.inverse, strict=True):
        np.testing.assert_allclose(inverse, np.linalg.pinv(block, rcond=1e-9, hermitian=True), rtol=1e-6, atol=1e-6)


def test_error_of_the_weights_is_that_of_the_linear_map_from_logits() -> None:
    """M H⁺ M' with M the derivative of W in each logit, column by column."""
    chain = draw(Params(chain="random", vocab_size=3, embedding="gaussian", n_samples=1000), 1)
    found, logits = information_of(chain), np.log(chain.transition)
    total = 0.0
    for k in range(3):
        columns = []
        for j in range(3):
            tilted = logits.copy()
            tilted[k, j] += 1.0
            law = np.exp(tilted) / np.exp(tilted).sum(axis=1, keepdims=True)
            columns.append((weights_of(law, chain.vectors) - weights_of(chain.transition, chain.vectors)).ravel())
        derivative = np.array(columns).T
        total += float(np.trace(derivative @ found.inverse[k] @ derivative.T))
    assert found.weights_constant(chain.vectors) == pytest.approx(total, rel=1e-8)
    assert found.weights_constant(np.eye(3)) == pytest.approx(found.constant, rel=1e-9)


def test_curvature_is_the_spectrum_of_the_hessian_of_the_expected_loss() -> None:
    chain = draw(Params(chain="random", vocab_size=3, embedding="gaussian", n_samples=300), 0)
    mass = chain.counts * chain.transition[chain.last]
    shares = mass / mass.sum(axis=1, keepdims=True) * chain.weight[:, None] / chain.n_samples
    layer = attention_layer()(torch.tensor(chain.vectors)[None], torch.tensor(head_of_chain(chain))[None])
    truth = torch.tensor(weights_of(chain.transition, chain.vectors))
    with np.errstate(divide="ignore"):
        log_counts = torch.tensor(np.log(chain.counts))[None]
    last, share = torch.tensor(chain.last)[None], torch.tensor(shares)[None]

    def loss(weights: torch.Tensor) -> torch.Tensor:
        value = torch.func.functional_call(
            layer, {"weights": weights[None]}, (last, log_counts, share), tie_weights=False
        )
        return value.sum()

    layer.forward = layer.losses
    hessian = torch.autograd.functional.hessian(loss, truth).reshape(36, 36).numpy()
    spectrum = np.linalg.eigvalsh(hessian)
    found = weights_curvature(information_of(chain), chain.vectors)
    np.testing.assert_allclose(found, spectrum[-6:], rtol=1e-8)
    np.testing.assert_allclose(spectrum[:-6], 0, atol=1e-12)
    assert spectrum[-1] <= curvature_bound(chain)


@given(st.integers(0, 999), st.sampled_from(["orthonormal", "gaussian"]))
@settings(max_examples=15, deadline=None)
def test_curvature_bound_is_one(seed: int, embedding: str) -> None:
    chain = draw(Params(chain="random", vocab_size=5, n_samples=200, embedding=embedding, concentration=0.3), seed)
    assert weights_curvature(information_of(chain), chain.vectors)[-1] <= curvature_bound(chain) * (1 + 1e-12)


def test_descent_steps() -> None:
    curvature = np.array([0.01, 1.0])
    steps = descent_steps(curvature, 1.0, 1e-3)
    assert (1 - 0.01) ** np.ceil(steps) <= 1e-3 < (1 - 0.01) ** np.floor(steps - 1)
    assert descent_steps(curvature, 2.0, 1e-3) == np.inf
    assert descent_steps(np.array([1.0]), 1.0, 1e-3) == 1.0
