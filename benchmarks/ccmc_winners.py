"""All winner sets of a base chain of ten tokens against one linear system after the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from benchmarks.harness import Line, readable, seconds
from theory.ccmc.winners import Floats, fixed_points

VOCAB_SIZE, RENAMINGS = 10, 20


def one_support_after_the_other(transition: Floats) -> list[tuple[Floats, float]]:
    """Shares and slowest rate of every fixed point, with the formulas of ``theory.ccmc.winners`` for one support."""
    size = len(transition)
    found: list[tuple[Floats, float]] = []
    for count in range(1, size + 1):
        for members in combinations(range(size), count):
            inside = list(members)
            block = transition[np.ix_(inside, inside)]
            rates = np.linalg.solve(block.T, np.ones(count))
            if (rates <= 0).any():
                continue
            flows = np.diag(rates) @ block
            values, vectors = np.linalg.eig(flows)
            shares = np.abs(np.real(vectors[:, int(np.argmax(np.real(values)))]))
            shares /= shares.sum()
            projector = np.outer(np.ones(count), shares)
            inverse = np.linalg.inv(np.eye(count) - flows.T + projector) - projector
            drift = np.diag(shares) @ flows.T @ inverse @ np.diag(1 / shares) @ (np.eye(count) - flows)
            # The fixed point itself has eigenvalue 0; with -1 in its place the others decide.
            relaxation = np.real(np.linalg.eigvals(drift - np.outer(shares, np.ones(count)))).max()
            invasion = max((rates @ transition[inside, j] - 1 for j in range(size) if j not in members), default=-1.0)
            whole = np.zeros(size)
            whole[inside] = shares
            found.append((whole, float(max(relaxation, invasion))))
    return found


def run() -> Iterator[Line]:
    transition = np.random.default_rng(0).dirichlet(np.ones(VOCAB_SIZE), size=VOCAB_SIZE)

    # Results are remembered by content: renaming the tokens gives the same work again.
    generator = np.random.default_rng(1)

    def renamed_tokens() -> None:
        for _ in range(RENAMINGS):
            order = generator.permutation(VOCAB_SIZE)
            fixed_points(transition[np.ix_(order, order)])

    ours = fixed_points(transition)
    theirs = one_support_after_the_other(transition)
    if not np.allclose(ours.shares, [shares for shares, _ in theirs], atol=1e-8):
        raise AssertionError("the two enumerations differ")
    stable = [rate < 0 for _, rate in theirs]
    if ours.stable.tolist() != stable:
        raise AssertionError("the two verdicts on stability differ")
    fast = seconds(renamed_tokens) / RENAMINGS
    slow = seconds(lambda: one_support_after_the_other(transition), 3)
    text = f"a loop over {2**VOCAB_SIZE - 1} supports: {readable(slow)} ({len(theirs)} points, {sum(stable)} stable)"
    yield Line(f"winner sets, K={VOCAB_SIZE}", readable(fast), text, slow / fast, 20)
