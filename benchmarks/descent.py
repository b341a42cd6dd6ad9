"""Training 64 instances of the paper's setting against a plain module, autograd and SGD, one instance after another."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.harness import Line, readable, seconds
from theory.next_token.model import logits_of
from theory.next_token.problem import Prompts, make_prompts
from theory.next_token.simulation.descent import descend

INSTANCES, STEPS, LEARNING_RATE = 64, 4000, 0.1
N, LENGTH, VOCAB_SIZE, DIM = 6, 4, 6, 8
BASELINE_INSTANCES, BASELINE_STEPS = 4, 400


class Attention(nn.Module):
    """The attention layer as a person would write it down."""

    def __init__(self, embed: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("embed", embed)
        self.register_buffer("head", torch.linalg.pinv(embed).T)
        self.weights = nn.Parameter(torch.zeros(DIM, DIM, dtype=torch.float64))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        keys = self.embed[tokens]
        scores = torch.einsum("ntd,de,ne->nt", keys, self.weights, keys[:, -1])
        attended = torch.einsum("nt,ntd->nd", torch.softmax(scores, dim=1), keys)
        return attended @ self.head.T


def instance(seed: int) -> Prompts:
    """Six uniform prompts of four tokens over six tokens, acyclic labels, random unit embeddings in 8 dimensions."""
    rng = np.random.default_rng(seed)
    sequences = rng.integers(VOCAB_SIZE, size=(N, LENGTH))
    ranking = rng.permuted(np.tile(np.arange(VOCAB_SIZE), (VOCAB_SIZE, 1)), axis=1)
    best = ranking[sequences[:, -1:], sequences].argmin(axis=1)
    embed = rng.standard_normal((VOCAB_SIZE, DIM))
    embed /= np.linalg.norm(embed, axis=1, keepdims=True)
    return make_prompts(sequences, sequences[np.arange(N), best], VOCAB_SIZE, embed)


def train_plainly(prompts: Prompts, steps: int) -> np.ndarray[Any, Any]:
    """Normalised gradient descent with a module, autograd and SGD; returns the logits."""
    model = Attention(torch.tensor(prompts.vectors))
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    tokens, labels = torch.tensor(prompts.tokens.reshape(N, LENGTH)), torch.tensor(prompts.labels)
    rows = torch.arange(N)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = -torch.log(model(tokens)[rows, labels]).mean()
        loss.backward()
        gradient = model.weights.grad
        gradient.div_(gradient.norm())
        optimizer.step()
    return logits_of(model.weights.detach().numpy(), prompts.vectors)


def run() -> Iterator[Line]:
    torch.set_num_threads(1)
    problems = [instance(seed) for seed in range(INSTANCES)]
    ours = seconds(lambda: descend(problems, STEPS, LEARNING_RATE, optimizer="normalised", checkpoints=[STEPS]), 3)
    check = descend(problems[:1], 60, LEARNING_RATE, optimizer="normalised", checkpoints=[60])[0]
    np.testing.assert_allclose(check.logits[0], train_plainly(problems[0], 60), rtol=0, atol=1e-9)
    started = perf_counter()
    for prompts in problems[:BASELINE_INSTANCES]:
        train_plainly(prompts, BASELINE_STEPS)
    step = (perf_counter() - started) / (BASELINE_INSTANCES * BASELINE_STEPS)
    baseline = f"module + autograd + SGD: {readable(step)} a step ({BASELINE_INSTANCES} x {BASELINE_STEPS} steps timed)"
    ratio = step * STEPS / (ours / INSTANCES)
    yield Line(f"train {INSTANCES} x {STEPS} steps, n=6 K=6 d=8", readable(ours), baseline, ratio, 150)
