"""Small random problems and brute-force answers for the tests; only :func:`measured_gaps` reads the theory's graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from theory.next_token.problem import Prompts, make_prompts
from theory.next_token.structure import Solution

Floats = npt.NDArray[np.float64]


def ranked(
    seed: int,
    vocab_size: int = 6,
    n: int = 12,
    length: int = 4,
    n_last: int = 2,
    flips: float = 0.3,
    embed: Floats | None = None,
) -> Prompts:
    """Labels follow a hidden ranking per last token, except for random flips."""
    random = np.random.default_rng(seed)
    rank = np.array([random.permutation(vocab_size) for _ in range(vocab_size)])
    sequences = random.integers(0, vocab_size, (n, length))
    sequences[:, -1] = random.integers(0, n_last, n)
    labels = []
    for sequence in sequences:
        present = np.unique(sequence)
        favourite = present[np.argmin(rank[sequence[-1]][present])]
        labels.append(random.choice(present) if random.random() < flips else favourite)
    return make_prompts(sequences, labels, vocab_size=vocab_size, embed=embed)


def unit_rows(seed: int, vocab_size: int, dim: int) -> Floats:
    """Random unit vectors."""
    rows = np.random.default_rng(seed).standard_normal((vocab_size, dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


problems = st.builds(
    lambda seed, size, n, length, n_last, flips: ranked(seed, size, n, length, min(n_last, size), flips),
    st.integers(0, 10**6),
    st.integers(3, 9),
    st.integers(1, 40),
    st.integers(2, 8),
    st.integers(1, 9),
    st.floats(0, 1),
)


def reachability(prompts: Prompts) -> npt.NDArray[np.bool_]:
    """``reach[last, i, j]``: a path of at least one edge from i to j."""
    size = prompts.vocab_size
    reach = np.zeros((size, size, size), dtype=np.bool_)
    for row in range(prompts.n):
        reach[prompts.last[row], prompts.labels[row], prompts.sequence(row)] = True
    reach[:, np.arange(size), np.arange(size)] = False
    for _ in range(size):
        reach = reach | (np.matmul(reach.astype(int), reach.astype(int)) > 0)
    return reach


def loss_and_gradient(prompts: Prompts, logits: Floats) -> tuple[float, Floats]:
    """Mean log-loss and its gradient in the logits, prompt by prompt, in the stable form."""
    gradient, loss = np.zeros_like(logits), 0.0
    for row in range(prompts.n):
        tokens, counts = np.unique(prompts.sequence(row), return_counts=True)
        label, last = prompts.labels[row], prompts.last[row]
        mass = counts * np.exp(logits[tokens, last] - logits[tokens, last].max())
        others = mass[tokens != label].sum()
        loss += np.log1p(others / mass[tokens == label][0]) / prompts.n
        residual = mass / mass.sum()
        residual[tokens == label] = -others / mass.sum()
        gradient[tokens, last] += residual / prompts.n
    return loss, gradient


def descend(prompts: Prompts, step_size: float, steps: list[int], initial: Floats | None = None) -> list[Floats]:
    """Plain gradient descent on the weights, seen in the logits; returns the logits after each number of steps."""
    size, gram = prompts.vocab_size, prompts.gram
    logits = np.zeros((size, size)) if initial is None else initial.copy()
    counts = prompts.counts().astype(float)
    label = np.zeros((prompts.n, size))
    label[np.arange(prompts.n), prompts.labels] = 1.0
    last = np.zeros((prompts.n, size))
    last[np.arange(prompts.n), prompts.last] = 1.0
    saved = []
    for step in range(1, max(steps) + 1):
        mass = counts * np.exp(logits[:, prompts.last].T)
        total = mass.sum(axis=1, keepdims=True)
        others = (mass * (1 - label)) / total
        residual = others - label * others.sum(axis=1, keepdims=True)
        gradient = residual.T @ last / prompts.n
        logits = logits - step_size * (gram @ gradient @ gram if prompts.embed is not None else gradient)
        if step in steps:
            saved.append(logits.copy())
    return saved


def total_variation(prompt: tuple[int, ...], logits: Floats, distribution: Floats) -> float:
    """Distance between a distribution (K,) and that of a model with these logits."""
    tokens, counts = np.unique(prompt, return_counts=True)
    mass = counts * np.exp(logits[tokens, prompt[-1]] - logits[tokens, prompt[-1]].max())
    model = np.zeros(len(distribution))
    model[tokens] = mass / mass.sum()
    return float(np.abs(model - distribution).sum() / 2)


def measured_gaps(solution: Solution, logits: np.ndarray) -> np.ndarray:
    """(..., s) differences of the component means of logits across each support edge."""
    graph, (upper, lower) = solution.condensation, solution.support.T
    first = np.unique(graph.scc, return_index=True)[1]
    means = graph.component_means(logits)[..., first]
    return means[..., upper] - means[..., lower]
