"""The real attention layer: grouped training is explicit attention, it finds the estimate, its texts have the law."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from theory.ccmc.data import draw
from theory.ccmc.experiments.training import outside_part
from theory.ccmc.fisher import descent_steps, information_of, weights_curvature
from theory.ccmc.fitting import fit_rows, wins_of
from theory.ccmc.label_sets import curvature_bound, initial_weights, label_sets
from theory.ccmc.mapping import weighted_next, weights_of
from theory.ccmc.model import Layer, attention_layer, generate, head_of_chain
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Booleans, Chain, Integers
from theory.ccmc.training import train
from theory.core.errors import Cancelled, DataError, ParameterError
from theory.shared.files.weights import weights_from_safetensors, weights_to_safetensors

pytestmark = pytest.mark.slow

PARAMS = Params(chain="random", vocab_size=4, concentration=3.0, n_samples=2000, embedding="gaussian")
CHAINS = [draw(PARAMS, 0), draw(PARAMS.with_values(vocab_size=3, n_samples=800, dim=5, embedding="orthonormal"), 1)]
LABELS = [label_sets(chain, 1)[0] for chain in CHAINS]
STARTS = [initial_weights(chain, 0.5) for chain in CHAINS]


def estimate(index: int) -> np.ndarray:
    chain = CHAINS[index]
    return fit_rows(chain.counts, chain.last, chain.weight, wins_of(chain.last, LABELS[index][None])).logits[0]


def centred(logits: np.ndarray) -> np.ndarray:
    return logits - logits.mean(axis=1, keepdims=True)


def explicit_prompts(chain: Chain) -> tuple[Integers, Booleans]:
    """One prompt per distinct training prompt, padded on the left: tokens and keys present, both (U, T).

    The order of tokens before the last is arbitrary: the layer has no positions.
    """
    own = chain.counts.copy()
    if chain.include_self:
        own[np.arange(len(own)), chain.last] -= 1
    width = int(own.sum(axis=1).max(initial=0)) + 1
    tokens = np.zeros((len(own), width), dtype=np.int64)
    present = np.zeros((len(own), width), dtype=np.bool_)
    for row, counts in enumerate(own):
        keys = np.repeat(np.arange(len(counts)), counts)
        start = width - 1 - len(keys)
        tokens[row, start:-1], present[row, start:-1] = keys, True
    tokens[:, -1], present[:, -1] = chain.last, chain.include_self
    return tokens, present


@pytest.mark.parametrize("include_self", ["yes", "no"])
def test_compressed_training_is_training_by_explicit_attention(include_self: str) -> None:
    chain = draw(PARAMS.with_values(n_samples=100, include_self=include_self), 3)
    chosen, start = label_sets(chain, 1)[0], initial_weights(chain, 0.3)
    run = train([chain], [chosen], 40, optimizer="gradient_descent", initial=[start], checkpoints=[0, 40])[0]
    tokens, present = (torch.tensor(array)[None] for array in explicit_prompts(chain))
    layer = attention_layer()(torch.tensor(chain.vectors)[None], torch.tensor(head_of_chain(chain))[None])
    with torch.no_grad():
        layer.weights.copy_(torch.tensor(start))
    prompt, token = np.nonzero(chosen)
    times = torch.tensor(chosen[prompt, token] / chosen.sum())
    for _ in range(40):
        law = layer(tokens, present)[0]
        loss = -(times * torch.log(law[prompt, token])).sum()
        (gradient,) = torch.autograd.grad(loss, layer.weights)
        with torch.no_grad():
            layer.weights.sub_(run.step_size * gradient)
    np.testing.assert_allclose(run.weights[-1], layer.weights[0].detach().numpy(), atol=1e-12)
    law = layer(tokens, present)[0].detach().numpy()
    fitted = np.exp(run.layer.logits) / np.exp(run.layer.logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(law, weighted_next(chain.counts.astype(float), chain.last, fitted), atol=1e-12)


@pytest.mark.parametrize(("optimizer", "steps"), [("lbfgs", 200), ("gradient_descent", 3000), ("adam", 600)])
def test_training_finds_the_estimate(optimizer: str, steps: int) -> None:
    runs = train(CHAINS, LABELS, steps, optimizer=optimizer, initial=STARTS)
    for index, (chain, run) in enumerate(zip(CHAINS, runs, strict=True)):
        assert np.abs(centred(run.layer.logits) - estimate(index)).max() < (1e-5 if optimizer == "lbfgs" else 1e-3)
        moved = np.linalg.norm(outside_part(chain, run.layer.weights - STARTS[index]))
        if optimizer == "adam":
            assert moved > 1e-3, "Adam rescales entries of the gradient and leaves the subspace"
        else:
            assert moved < 1e-12
        assert np.linalg.norm(outside_part(chain, run.layer.weights)) > 0.1


def test_gradient_descent_needs_the_predicted_number_of_steps() -> None:
    for index, chain in enumerate(CHAINS):
        curvature, step = weights_curvature(information_of(chain), chain.vectors), 1 / curvature_bound(chain)
        predicted = round(descent_steps(curvature, step, 1e-3))
        # The early path is not quadratic; two later points see the rate alone.
        points = [predicted, 2 * predicted]
        run = train(
            CHAINS[index : index + 1], [LABELS[index]], points[1], optimizer="gradient_descent", checkpoints=points
        )
        far, near = (
            np.abs(centred((chain.vectors @ w @ chain.vectors.T).T) - estimate(index)).max() for w in run[0].weights
        )
        assert np.log(near / far) / np.log(1e-3) == pytest.approx(1, abs=0.25)


def test_a_layer_does_not_see_its_neighbours() -> None:
    for optimizer in ("lbfgs", "gradient_descent", "adam"):
        together = train(CHAINS, LABELS, 30, optimizer=optimizer, initial=STARTS)
        for index, run in enumerate(together):
            alone = train([CHAINS[index]], [LABELS[index]], 30, optimizer=optimizer, initial=[STARTS[index]])[0]
            np.testing.assert_allclose(alone.layer.weights, run.layer.weights, atol=1e-12)
            np.testing.assert_allclose(alone.loss, run.loss, atol=1e-12)
            assert alone.gradient_norm == pytest.approx(run.gradient_norm, abs=1e-12)


def test_texts_have_the_law_of_the_chain() -> None:
    chain = draw(PARAMS.with_values(vocab_size=3), 0)
    layer = Layer(weights_of(chain.transition, chain.vectors), chain.vectors, head_of_chain(chain))
    texts = generate(layer, np.array([0, 1, 2, 1]), 6, range(4000))
    assert (texts[:, :4] == [0, 1, 2, 1]).all()
    first = np.array([1.0, 2.0, 1.0]) * chain.transition[1]
    law = np.zeros((3, 3))
    for token in range(3):
        counts = np.array([1.0, 2.0, 1.0]) + np.eye(3)[token]
        second = counts * chain.transition[token]
        law[token] = first[token] / first.sum() * second / second.sum()
    seen = np.bincount(texts[:, 4] * 3 + texts[:, 5], minlength=9)
    assert chisquare(seen, 4000 * law.ravel()).pvalue > 1e-4
    np.testing.assert_array_equal(
        generate(layer, np.array([0, 1, 2, 1]), 40, [5, 9])[1], generate(layer, np.array([0, 1, 2, 1]), 40, [9])[0]
    )


def test_a_masked_query_is_not_attended_to() -> None:
    layer = Layer(np.zeros((2, 2)), np.eye(2), np.eye(2), include_self=False)
    assert (generate(layer, np.array([0, 1]), 3, range(20))[:, 2] == 0).all()
    with pytest.raises(DataError, match="no token to attend"):
        generate(layer, np.array([0]), 3, [0])


def test_generating_stops_and_refuses_a_head_that_does_not_invert() -> None:
    layer = Layer(np.zeros((2, 2)), np.eye(2), 2 * np.eye(2))
    with pytest.raises(DataError, match="probability law"):
        generate(layer, np.array([0, 1]), 5, [0])
    with pytest.raises(Cancelled):
        generate(Layer(np.zeros((2, 2)), np.eye(2), np.eye(2)), np.array([0, 1]), 200, [0], stop=lambda: True)


def test_safetensors_round_trip() -> None:
    layer = train(CHAINS[:1], LABELS[:1], 3)[0].layer
    content = weights_to_safetensors(layer.weights, layer.embed, layer.head, {"claim": "ccmc"})
    for name, array in weights_from_safetensors(content).items():
        np.testing.assert_array_equal(array, getattr(layer, name))
    with pytest.raises(DataError, match="safetensors"):
        weights_from_safetensors(b"not a file")


def test_bad_arguments() -> None:
    with pytest.raises(Cancelled):
        train(CHAINS, LABELS, 10**6, optimizer="gradient_descent", checkpoints=[1], stop=lambda: True)
    with pytest.raises(Cancelled):
        train(CHAINS, LABELS, 10, stop=lambda: True)
    with pytest.raises(ParameterError, match="optimizer"):
        train(CHAINS, LABELS, 10, optimizer="newton")
    with pytest.raises(ParameterError, match="steps"):
        train(CHAINS, LABELS, 0)
    assert train([], [], 10) == []
