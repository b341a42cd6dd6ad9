"""From parameters to a problem: generated data, data given as arrays, and a person's own files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from theory.core.errors import ParameterError
from theory.core.vocabulary import every_parameter
from theory.next_token import generators
from theory.next_token.generators import Floats
from theory.next_token.own.windows import from_text
from theory.next_token.parameters import Params
from theory.next_token.problem import Prompts, make_prompts
from theory.shared.files.text import decode_upload, parse_jsonl_sequences

COUPLED_LAST_TOKENS = 8
"""Most last tokens with embeddings that are not orthonormal."""
_SHAPED_BY: dict[str, frozenset[str]] = {
    "ranked_noise": frozenset({"vocab_size", "n_sequences", "prompt_length", "label_flip_probability", "n_last"}),
    "luce": frozenset({"vocab_size", "n_sequences", "prompt_length"}),
    "planted": frozenset({"scc_sizes", "order"}),
    "undecided_voter": frozenset(),
    "slow_tie": frozenset(),
}
"""The parameters that each generator reads, besides the seed."""
_DRAWN = frozenset({"ranked_noise", "luce", "planted"})
"""Generators that draw at random; the others are one data set each."""
_GRAPH_NAMES = ("rock", "paper", "scissors", "referee", "judge", "clerk", "whistle")


def draw(params: Params, data_seed: int) -> Prompts:
    """The problem at these parameters: given arrays if there are any, else generated data with this seed.

    Raises:
        ParameterError: a value does not fit the generator. DataError: given arrays are not usable prompts.
    """
    prompts = _given(params) if params.sequences is not None else _generated(params, data_seed)
    prompts = generators.add_contradictions(prompts, params.contradictions, data_seed)
    names = params.token_names or prompts.names
    if params.token_names is not None and len(names) != prompts.vocab_size:
        raise ParameterError("token_names", f"{len(names)} names", f"{prompts.vocab_size} names, one per token")
    return replace(prompts, embed=_embedding(params, prompts.vocab_size, data_seed), names=tuple(names))


def load(content: bytes, filename: str, params: Params) -> Prompts:
    """A person's own file as a problem: text, JSON or JSONL token sequences.

    Raises:
        DataError: the file is empty, binary, too large or has no usable prompt.
    """
    if filename.lower().endswith((".json", ".jsonl", ".ndjson")):
        rows = parse_jsonl_sequences(content)
        prompts = make_prompts(rows.sequences, rows.labels, names=rows.names, missing_label=params.missing_label)
    else:
        prompts = from_text(decode_upload(content), prompt_length=params.prompt_length)[0]
    return replace(prompts, embed=_embedding(params, prompts.vocab_size, params.data_seed))


def bounds(params: Params) -> dict[str, tuple[float, float]]:
    """Ranges that depend on the other parameters."""
    if params.sequences is not None or params.generator != "ranked_noise":
        return {}
    # Other embeddings couple all columns into one margin problem: more last tokens would take minutes.
    most = params.vocab_size if params.embedding == "orthonormal" else min(params.vocab_size, COUPLED_LAST_TOKENS)
    return {"n_last": (1, most)}


def active(params: Params) -> frozenset[str]:
    """Names of the parameters that change something at these values.

    >>> sorted(active(Params()) - active(Params(generator="slow_tie")))
    ['data_seed', 'label_flip_probability', 'n_last', 'n_sequences', 'prompt_length', 'vocab_size']
    """
    given = params.sequences is not None
    idle = frozenset[str]().union(*_SHAPED_BY.values())
    idle -= frozenset() if given else _SHAPED_BY[params.generator]
    drawn = params.contradictions > 0 or (not given and params.generator in _DRAWN)
    idle |= {"generator"} if given else {"missing_label"}
    if params.embed is not None:
        idle |= {"embedding", "correlation", "dim"}
    else:
        drawn |= params.embedding == "random_unit" or params.dim is not None
        idle |= frozenset() if params.embedding == "equicorrelated" else {"correlation"}
    return every_parameter(params) - idle - (frozenset() if drawn else {"data_seed"})


def _given(params: Params) -> Prompts:
    sequences: Any = params.sequences
    if params.labels is None:
        raise ParameterError("labels", None, "one label per prompt when sequences are given")
    size = None if params.embed is None else len(params.embed)
    return make_prompts(
        sequences, params.labels, size, names=params.token_names or (), missing_label=params.missing_label
    )


def _generated(params: Params, data_seed: int) -> Prompts:
    match params.generator:
        case "planted":
            sizes = params.scc_sizes or (3, 1, 1, 1)
            names = _GRAPH_NAMES if sizes == (3, 1, 1, 1) else ()
            return generators.planted(sizes, params.order, seed=data_seed, names=names)
        case "undecided_voter":
            return generators.undecided_voter()
        case "slow_tie":
            return generators.slow_tie()
        case "luce":
            prompts, scores = generators.luce(params.vocab_size, params.n_sequences, params.prompt_length, data_seed)
            return replace(prompts, true_scores=scores)
        case "ranked_noise":
            return generators.ranked_noise(
                params.vocab_size,
                params.n_sequences,
                params.prompt_length,
                params.label_flip_probability,
                params.n_last,
                data_seed,
            )


def _embedding(params: Params, vocab_size: int, data_seed: int) -> Floats | None:
    """Embedding rows; None stands for orthonormal ones, which never need to be written down."""
    if params.embed is not None:
        embed = np.asarray(params.embed, dtype=np.float64)
        if embed.ndim != 2 or len(embed) != vocab_size or not np.isfinite(embed).all():
            raise ParameterError("embed", f"shape {embed.shape}", f"{vocab_size} rows of finite numbers")
        return embed
    dim = params.dim or vocab_size
    if params.embedding == "random_unit":
        return generators.random_unit(vocab_size, dim, data_seed)
    if dim < vocab_size:
        correlation = params.correlation if params.embedding == "equicorrelated" else 0.0
        return generators.squeezed(generators.equicorrelated(vocab_size, correlation=correlation), dim, data_seed)
    if params.embedding == "equicorrelated":
        return generators.equicorrelated(vocab_size, dim, params.correlation)
    return None
