"""From parameters to a problem: base chains, first prompts, training prompts, and a person's own data."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory.ccmc.design import Design, drawn_design, given_design
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats, Integers, checked_prompt, checked_transition, prompt_of_counts
from theory.core.errors import DataError, ParameterError
from theory.core.vocabulary import every_parameter

SHARED = ("vocab_size", "odds_first", "odds_second", "top_probability", "stay", "advance", "concentration")
_SHAPED_BY: dict[str, frozenset[str]] = {
    "two_tokens": frozenset({"odds_first", "odds_second"}),
    "identical_rows": frozenset({"vocab_size", "top_probability"}),
    "circulant": frozenset({"stay", "advance"}),
    "random": frozenset({"vocab_size", "concentration"}),
    "reversible": frozenset({"vocab_size", "concentration"}),
    "uniform": frozenset({"vocab_size"}),
}
"""The parameters that shape each base chain, besides the seed."""
SMALLEST_FALL_BACK = 0.005


def draw(params: Params, data_seed: int) -> Chain:
    """The problem at these parameters; given arrays replace what would be drawn.

    Raises:
        ParameterError: values do not fit together. DataError: a given array is not usable; its row is named.
    """
    streams = np.random.SeedSequence(data_seed).spawn(3)
    chain_stream, design_stream, embed_stream = (np.random.default_rng(stream) for stream in streams)
    transition = base_chain(params, chain_stream)
    size = len(transition)
    design = _design(params, size, design_stream)
    embed, head = _embedding(params, size, embed_stream)
    names = params.token_names or ()
    if names and len(names) != size:
        raise ParameterError("token_names", f"{len(names)} names", f"{size} names, one per token")
    return Chain(
        transition=transition,
        prompt=first_prompt(params, size),
        counts=design.counts,
        last=design.last,
        weight=design.weight,
        chosen=design.chosen,
        embed=embed,
        head=head,
        include_self=params.include_self == "yes",
        names=names,
    )


def base_chain(params: Params, generator: np.random.Generator) -> Floats:
    """The base chain P, shape (K, K), that the parameters describe."""
    if params.transition is not None:
        return checked_transition(params.transition)
    size = params.vocab_size
    match params.chain:
        case "two_tokens":
            first, second = params.odds_first, params.odds_second
            return np.array([[first / (1 + first), 1 / (1 + first)], [1 / (1 + second), second / (1 + second)]])
        case "identical_rows":
            return np.tile(falling_row(params.top_probability, size), (size, 1))
        case "circulant":
            back = 1 - params.stay - params.advance
            row = np.array([params.stay, params.advance, back])
            return np.stack([np.roll(row, k) for k in range(3)])
        case "random":
            return generator.dirichlet(np.full(size, params.concentration), size=size)
        case "reversible":
            flows = generator.gamma(params.concentration, size=(size, size))
            flows = flows + flows.T
            return flows / flows.sum(axis=1, keepdims=True)
        case "uniform":
            return np.full((size, size), 1 / size)


def falling_row(top_probability: float, vocab_size: int) -> Floats:
    """A law with the given probability of token 0; the others fall off linearly.

    >>> falling_row(0.7, 3).round(3).tolist()
    [0.7, 0.2, 0.1]
    """
    rest = np.arange(vocab_size - 1, 0, -1.0)
    return np.concatenate([[top_probability], (1 - top_probability) * rest / rest.sum()])


def first_prompt(params: Params, vocab_size: int) -> Integers:
    """The prompt that generation starts from, shape (L,): given, from counts, or long with given shares."""
    if params.prompt is not None:
        return checked_prompt(params.prompt, vocab_size)
    if params.initial_last >= vocab_size:
        raise ParameterError("initial_last", params.initial_last, f"a token from 0 to {vocab_size - 1}")
    counts = np.full(vocab_size, params.count_others)
    counts[0] = params.count_first
    if params.initial_counts is not None:
        if len(params.initial_counts) != vocab_size:
            raise ParameterError("initial_counts", params.initial_counts, f"{vocab_size} counts, one per token")
        counts = np.array(params.initial_counts)
    elif params.initial_tokens is not None:
        counts = _rounded(_shares(params, vocab_size) * params.initial_tokens)
    return prompt_of_counts(counts, params.initial_last)


def bounds(params: Params) -> dict[str, tuple[float, float]]:
    """Ranges that depend on the other parameters."""
    size = _size(params)
    most_unseen = min(12, size * (size - 1) - size)
    found: dict[str, tuple[float, float]] = {
        "unseen_pairs": (0, most_unseen),
        "initial_last": (0, size - 1),
        "islands": (1, min(3, size)),
    }
    if params.chain == "circulant" and params.transition is None:
        found["advance"] = (0.02, max(0.02, 1 - params.stay - SMALLEST_FALL_BACK))
    return found


def active(params: Params) -> frozenset[str]:
    """Names of the parameters that change something at these values."""
    given = params.transition is not None
    idle = frozenset(SHARED) - (frozenset[str]() if given else _SHAPED_BY[params.chain])
    if given:
        idle |= {"chain"}
    if params.prompt is not None or params.initial_counts is not None:
        idle |= {"count_first", "count_others", "initial_tokens", "initial_shares"}
    elif params.initial_tokens is not None:
        idle |= {"count_first", "count_others"}
    if params.sequences is not None:
        idle |= {"n_samples", "prompt_length", "unseen_pairs", "islands"}
    if params.embed is not None:
        idle |= {"embedding", "dim"}
    return every_parameter(params) - idle


def _size(params: Params) -> int:
    if params.transition is not None:
        return max(2, len(params.transition))
    return {"two_tokens": 2, "circulant": 3}.get(params.chain, params.vocab_size)


def _shares(params: Params, vocab_size: int) -> Floats:
    if params.initial_shares is None:
        return np.full(vocab_size, 1 / vocab_size)
    shares = np.asarray(params.initial_shares, dtype=np.float64)
    if len(shares) != vocab_size or not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
        raise ParameterError("initial_shares", params.initial_shares, f"{vocab_size} shares of at least 0")
    return shares / shares.sum()


def _rounded(exact: Floats) -> Integers:
    """Whole counts with the same sum, at least 1 each, by largest remainders."""
    counts = np.maximum(np.floor(exact), 1).astype(np.int64)
    short = round(float(exact.sum())) - int(counts.sum())
    if short > 0:
        counts[np.argsort(np.floor(exact) - exact)[:short]] += 1
    return counts


def _design(params: Params, vocab_size: int, generator: np.random.Generator) -> Design:
    include_self = params.include_self == "yes"
    if params.sequences is not None:
        return given_design(params.sequences, params.labels, vocab_size, include_self=include_self)
    if params.labels is not None:
        raise DataError("prompts_missing", "next tokens are given without their prompts.")
    return drawn_design(
        vocab_size,
        params.n_samples,
        params.prompt_length,
        generator,
        unseen_pairs=params.unseen_pairs,
        islands=params.islands,
        include_self=include_self,
    )


def _embedding(params: Params, vocab_size: int, generator: np.random.Generator) -> tuple[Floats | None, Floats | None]:
    """Embedding rows and head; None for orthonormal rows and the head that inverts them."""
    embed: Floats | None = None
    if params.embed is not None:
        embed = _given_embedding(params.embed, vocab_size)
    elif params.embedding == "gaussian":
        dim = params.dim or 2 * vocab_size
        embed = generator.standard_normal((vocab_size, dim)) / np.sqrt(dim)
    elif params.dim is not None:
        basis = np.linalg.qr(generator.standard_normal((params.dim, min(params.dim, vocab_size))))[0].T
        embed = np.vstack([basis, np.zeros((vocab_size - len(basis), params.dim))])
    width = vocab_size if embed is None else embed.shape[1]
    head = generator.standard_normal((vocab_size, width)) if params.head == "random" else None
    return embed, head


def _given_embedding(rows: Any, vocab_size: int) -> Floats:
    embed = np.asarray(rows, dtype=np.float64)
    if embed.ndim != 2 or len(embed) != vocab_size or not np.isfinite(embed).all():
        raise ParameterError("embed", f"shape {embed.shape}", f"{vocab_size} rows of finite numbers")
    return embed
