"""What a layer computes, against the split read off its own outputs, and the theorem's rank statement."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from theory.icl.effective import effective_preconditioner, effective_wpgd, impulse_response
from theory.icl.model import build

SEEDS = st.integers(0, 10_000)


def layer(seed: int, dim: int, length: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    size = dim + 1
    found = {name: generator.standard_normal((size, size)) for name in ("query", "key", "value")}
    return found | {"output": generator.standard_normal(size), "filter": generator.standard_normal(length)}


def directions(name: str, weights: dict[str, Any], features: Any, labels: Any) -> Any:
    """The layer's own directions (prompts, d)."""
    used = {part: value for part, value in weights.items() if part != "filter" or name == "h3"}
    module = build(name, [used], [features.shape[1]], dtype=torch.float64)
    tokens = torch.tensor(np.concatenate([features, labels[..., None]], axis=2))[None]
    with torch.no_grad():
        return module.direction(tokens)[0].numpy()


def prompts(seed: int, dim: int, length: int) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed + 1)
    return generator.standard_normal((4, length, dim)), generator.standard_normal((4, length))


@given(seed=SEEDS, dim=st.integers(1, 5), length=st.integers(1, 6))
def test_attention_is_a_step_plus_an_even_part(seed: int, dim: int, length: int) -> None:
    weights, (features, labels) = layer(seed, dim, length), prompts(seed, dim, length)
    step, even = effective_preconditioner(*(weights[k] for k in ("query", "key", "value", "output")), length)
    plain = directions("attention", weights, features, labels)
    flipped = directions("attention", weights, features, -labels)
    correlation = np.einsum("pia,pi->pa", features, labels)
    gram = np.einsum("pia,pib->pab", features, features)
    scale = 1e-11 * max(1.0, float(np.abs(plain).max()))
    assert np.allclose((plain - flipped) / 2, correlation @ step.T, atol=scale)
    expected = gram @ even.vector @ even.matrix.T + (labels**2).sum(axis=1)[:, None] * even.along
    assert np.allclose((plain + flipped) / 2, expected, atol=scale)


@given(seed=SEEDS, dim=st.integers(1, 4), length=st.integers(1, 5))
def test_h3_is_a_weighted_step_plus_an_even_part(seed: int, dim: int, length: int) -> None:
    weights, (features, labels) = layer(seed, dim, length), prompts(seed, dim, length)
    step, omega = effective_wpgd(weights)
    plain = directions("h3", weights, features, labels)
    odd = (plain - directions("h3", weights, features, -labels)) / 2
    expected = np.einsum("nab,pnb,pn->pa", impulse_response(step, omega), features, labels)
    assert np.allclose(odd, expected, atol=1e-11 * max(1.0, float(np.abs(plain).max())))


def test_low_rank_keys_give_a_low_rank_step() -> None:
    weights = layer(3, 5, 4)
    generator = np.random.default_rng(0)
    weights["key"] = generator.standard_normal((6, 2)) @ generator.standard_normal((2, 6))
    step, _ = effective_preconditioner(*(weights[k] for k in ("query", "key", "value", "output")), 4)
    assert np.linalg.matrix_rank(step) <= 2


def test_leading_axes_are_models() -> None:
    both = [layer(seed, 3, 4) for seed in (1, 2)]
    stacked = [np.stack([weights[k] for weights in both]) for k in ("query", "key", "value", "output")]
    step, even = effective_preconditioner(*stacked, 4)
    own, own_even = effective_preconditioner(*(both[1][k] for k in ("query", "key", "value", "output")), 4)
    assert np.allclose(step[1], own) and np.allclose(even.norm[1], own_even.norm)


def test_a_layer_without_cross_terms_has_no_even_part() -> None:
    weights = layer(4, 3, 4)
    weights["query"][-1] = weights["key"][-1] = 0.0
    weights["value"][:-1] = 0.0
    _, even = effective_preconditioner(*(weights[k] for k in ("query", "key", "value", "output")), 4)
    assert float(even.norm) == 0.0
