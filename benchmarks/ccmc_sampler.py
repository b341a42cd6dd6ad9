"""Tokens per second of the self-attention Markov chain, against reading the whole context for every token."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from benchmarks.harness import Line, least_seconds, readable
from theory.ccmc.simulation.sampling import choose_method, simulate

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
CONTEXT, READ = 2000, 500
REQUIRED = {8: 1000, 256: 400}
MIXED_TOKENS, COLLAPSING_TOKENS = 2_000_000, 1_000_000_000


def collapsing(vocab_size: int, generator: np.random.Generator) -> Floats:
    """A chain in which token 0 wins: it has probability 0.7 in every row."""
    rows = generator.uniform(0.5, 1.5, (vocab_size, vocab_size))
    rows[:, 0] = 0
    rows *= 0.3 / rows.sum(axis=1, keepdims=True)
    rows[:, 0] = 0.7
    return rows


def mixed(vocab_size: int, generator: np.random.Generator) -> Floats:
    """A chain whose tokens rarely repeat themselves, so that many of them keep a share."""
    rows = generator.uniform(0.5, 1.5, (vocab_size, vocab_size))
    np.fill_diagonal(rows, 0.1)
    return rows / rows.sum(axis=1, keepdims=True)


def read_context(transition: Floats, context: Integers, n_tokens: int, generator: np.random.Generator) -> None:
    """Attention as it is written: a weight for each of the last ``CONTEXT`` positions, one position drawn per token."""
    for _ in range(n_tokens):
        weights = transition[context[-1], context]
        context = np.append(context[1:], generator.choice(context, p=weights / weights.sum()))


def _text(transition: Floats, generator: np.random.Generator) -> Integers:
    """A context of the usual length that the chain itself wrote."""
    size = len(transition)
    start = np.arange(size)
    counts = simulate(transition, start, CONTEXT, [0], times=np.array([CONTEXT])).counts[0, -1]
    return generator.permutation(np.repeat(start, counts.astype(int)))


def run() -> Iterator[Line]:
    generator = np.random.default_rng(0)
    for regime, make, n_tokens in (("winner", collapsing, COLLAPSING_TOKENS), ("mixed", mixed, MIXED_TOKENS)):
        for size, required in REQUIRED.items():
            transition = make(size, generator)
            text = _text(transition, generator)
            method = choose_method(transition, text, n_tokens)

            def ours(transition: Floats = transition, text: Integers = text, n_tokens: int = n_tokens) -> object:
                return simulate(transition, text, n_tokens, [0], times=np.array([n_tokens]))

            def theirs(transition: Floats = transition, text: Integers = text) -> object:
                return read_context(transition, text, READ, generator)

            rate, baseline = (n_tokens - CONTEXT) / least_seconds(ours), READ / least_seconds(theirs)
            note = f"reading {CONTEXT} tokens for each: {baseline:,.0f} tokens/s ({method.replace('_', ' ')})"
            yield Line(f"generated text, {regime}, K={size}", f"{rate:.2g} /s", note, rate / baseline, required)
    transition, start = np.tile([0.8, 0.15, 0.05], (3, 1)), np.arange(3)
    leap = least_seconds(lambda: simulate(transition, start, 10**12, [0], method="leap", times=np.array([1e12])))
    direct = least_seconds(
        lambda: simulate(transition, start, 10**6, [0], method="direct", times=np.array([1e6])), repeats=1
    )
    note = f"10^6 tokens one by one: {readable(direct)}"
    yield Line("10^12 tokens of a collapsing chain by leaps", readable(leap), note, direct / leap, 1)
