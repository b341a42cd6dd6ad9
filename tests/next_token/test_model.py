"""The real attention layer equals the logit-space engine and the formula of the paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.next_token.training_cases import random_prompts
from theory.core.errors import Cancelled, DataError, ParameterError
from theory.next_token.model import (
    attention_layer,
    head_of,
    logits_of,
    next_token_distribution,
    weights_of,
)
from theory.next_token.problem import make_prompts
from theory.next_token.simulation.descent import descend
from theory.next_token.training import train_attention
from theory.shared.files.weights import weights_from_safetensors, weights_to_safetensors

PROBLEMS = [
    random_prompts(0, dim=8),
    random_prompts(1, dim=6),
    random_prompts(2),
    random_prompts(3, vocab_size=4, n=5, length=7, dim=9),
]


@pytest.mark.parametrize("optimizer", ["plain", "normalised"])
def test_logit_space_is_the_real_layer(optimizer: str) -> None:
    learning_rate = 1.0 if optimizer == "plain" else 0.05
    layers = train_attention(PROBLEMS, 50, learning_rate, optimizer=optimizer, checkpoints=[0, 7, 50])
    for engine in ("compiled", "tensor"):
        runs = descend(PROBLEMS, 50, learning_rate, optimizer=optimizer, checkpoints=[0, 7, 50], engine=engine)  # pyright: ignore
        for layer, run in zip(layers, runs, strict=True):
            np.testing.assert_allclose(layer.logits, run.logits, rtol=0, atol=1e-12)
            np.testing.assert_allclose(layer.loss, run.loss, rtol=1e-12)
            assert layer.eta == run.eta


def test_plain_autograd_through_the_definition_gives_the_same_weights() -> None:
    prompts = PROBLEMS[0]
    embed = torch.tensor(prompts.vectors)
    head, weights = torch.linalg.pinv(embed).T, torch.zeros(8, 8, dtype=torch.float64, requires_grad=True)
    run = train_attention([prompts], 50, checkpoints=[50])[0]
    for _ in range(50):
        loss = torch.zeros((), dtype=torch.float64)
        for row in range(prompts.n):
            keys = embed[torch.tensor(prompts.sequence(row))]
            attended = keys.T @ torch.softmax(keys @ weights @ keys[-1], dim=0)
            loss = loss - torch.log((head @ attended)[prompts.labels[row]]) / prompts.n
        (gradient,) = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            weights -= run.eta * gradient
    np.testing.assert_allclose(run.weights[0], weights.detach().numpy(), rtol=0, atol=1e-12)


def test_forward_pass_matches_counts_times_scores() -> None:
    prompts = PROBLEMS[0]
    run = train_attention([prompts], 30, checkpoints=[30])[0]
    layer = attention_layer()(torch.tensor(run.embed)[None])
    with torch.no_grad():
        layer.weights.copy_(torch.tensor(run.weights))
        tokens = torch.tensor(prompts.tokens.reshape(1, prompts.n, -1))
        output = layer(tokens, torch.ones_like(tokens, dtype=torch.bool))[0].numpy()
    mass = prompts.counts() * np.exp(run.logits[0][:, prompts.last].T)
    expected = mass / mass.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(output, expected, atol=1e-13)
    for row in range(prompts.n):
        found = next_token_distribution(run.weights[0], run.embed, run.head, prompts.sequence(row).tolist())
        np.testing.assert_allclose(found, expected[row], atol=1e-13)
    np.testing.assert_allclose(-np.log(output[np.arange(prompts.n), prompts.labels]).mean(), run.loss[0], rtol=1e-13)


def test_loss_and_gradient_survive_margins_that_saturate_the_softmax() -> None:
    prompts = make_prompts([[0, 1, 2]], [0])
    initial = np.zeros((1, 3, 3))
    initial[0, 0, 2] = 60.0
    run = train_attention([prompts], 1, initial=initial)[0]
    np.testing.assert_allclose(run.loss[0], 2 * np.exp(-60.0), rtol=1e-14)
    moved = run.weights[1] - run.weights[0]
    # The label's own step, 2 eta exp(-60), is below the rounding of its logit 60; the others start at 0 and show it.
    np.testing.assert_allclose(moved[1:, 2], -run.eta * np.exp(-60.0), rtol=1e-14)


def test_a_layer_does_not_see_its_neighbours() -> None:
    together = train_attention(PROBLEMS, 40, checkpoints=[40])
    for prompts, run in zip(PROBLEMS, together, strict=True):
        alone = train_attention([prompts], 40, checkpoints=[40])[0]
        np.testing.assert_allclose(alone.weights, run.weights, rtol=0, atol=1e-13)


def test_divergence_is_reported() -> None:
    sharp = make_prompts([[0, 0, 0, 1]] * 2 + [[0, 1, 1]], [0, 1, 1])
    runs = train_attention([sharp, PROBLEMS[2]], 100, 2.5)
    reference = descend([sharp], 100, 2.5)[0]
    assert runs[0].diverged_at == reference.diverged_at is not None
    assert len(runs[0].steps) == len(reference.steps)
    assert runs[1].steps[-1] == 100


def test_weights_and_logits_are_inverse_for_independent_embeddings() -> None:
    embed = PROBLEMS[0].vectors
    logits = np.random.default_rng(0).standard_normal((2, 6, 6))
    np.testing.assert_allclose(logits_of(weights_of(logits, embed), embed), logits, atol=1e-12)
    np.testing.assert_allclose(head_of(embed) @ embed.T, np.eye(6), atol=1e-12)


def test_safetensors_round_trip() -> None:
    run = train_attention([PROBLEMS[0]], 3)[0]
    content = weights_to_safetensors(run.weights[-1], run.embed, run.head, {"claim": "next_token/gd-direction"})
    assert content == weights_to_safetensors(run.weights[-1], run.embed, run.head, {"claim": "next_token/gd-direction"})
    read = weights_from_safetensors(content)
    for name, array in (("weights", run.weights[-1]), ("embed", run.embed), ("head", run.head)):
        np.testing.assert_array_equal(read[name], array)
    for bad in (b"", b"not a file", content[:40]):
        with pytest.raises(DataError, match="safetensors"):
            weights_from_safetensors(bad)


@pytest.mark.parametrize("prompt", [[], [6], [-1], [0.5]])
def test_a_prompt_that_is_none_is_refused(prompt: list[int]) -> None:
    with pytest.raises(DataError, match="token ids"):
        next_token_distribution(np.zeros((6, 6)), np.eye(6), np.eye(6), prompt)


def test_cancelling_and_bad_arguments() -> None:
    with pytest.raises(Cancelled):
        train_attention(PROBLEMS, 10**6, checkpoints=[1], stop=lambda: True)
    with pytest.raises(ParameterError, match="optimizer"):
        train_attention(PROBLEMS, 10, optimizer="adam")
    with pytest.raises(ParameterError, match="steps"):
        train_attention(PROBLEMS, 0)
    if not torch.cuda.is_available():
        with pytest.raises(ParameterError, match="device"):
            train_attention(PROBLEMS, 10, device="cuda")
    assert train_attention([], 10) == []
