"""A person's own files as a problem: a transition matrix, a text, or a log of prompts with next tokens.

Also what such data leave open: the log-ratios of the base chain that they cannot determine, and what to collect next.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from theory.ccmc.data import draw
from theory.ccmc.design import Design, given_design, grouped
from theory.ccmc.own.matrices import LARGEST_VOCABULARY, NamedChain, from_array, from_csv, from_json
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats, Integers
from theory.ccmc.prompt_coverage import Coverage, Suggestion, coverage_of, next_prompts
from theory.core.errors import DataError
from theory.shared.choice import fit_choice
from theory.shared.files.text import (
    TokenRows,
    decode_upload,
    encode,
    is_listed,
    parse_jsonl_sequences,
    tokenise,
    vocabulary,
    windows,
)

MOST_WORDS = 12
"""Words kept of a text unless the parameters ask for another vocabulary."""
MAX_WINDOWS = 100_000


def load(content: bytes, filename: str, params: Params) -> Chain:
    """A person's own file as a problem; its name says what it is.

    ``.csv`` ``.tsv`` ``.json`` ``.npy``: a transition matrix, rows = last token, perhaps with token names; training
    prompts are then drawn as the parameters say. ``.jsonl`` ``.ndjson`` (or ``.json``): a log, :func:`from_log`. All
    else is read as text, :func:`from_text`.

    Raises:
        DataError: empty, too large, or not usable; the message names the row or line. ParameterError: a parameter does
            not fit the file's vocabulary.
    """
    suffix = filename.lower().rpartition(".")[2]
    if suffix == "npy":
        return _from_table(from_array(content), params)
    if suffix in ("csv", "tsv"):
        return _from_table(from_csv(content), params)
    if suffix in ("jsonl", "ndjson"):
        return from_log(parse_jsonl_sequences(content), params)
    if suffix == "json":
        return _from_json(content, params)
    return from_text(decode_upload(content), params)


def from_text(text: str, params: Params) -> Chain:
    """The words of a text: P from its bigrams, training prompts from its windows.

    The vocabulary is the 12 most frequent words, or ``vocab_size`` where that was changed from its default; other
    words are left out, so that their neighbours become adjacent. Add-one smoothing: P_kj is (1 + number of bigrams
    k, j) / (K + number of k), so that no entry is 0. A window of ``prompt_length`` words is a training prompt when its
    keys contain the next word; ``dropped`` counts the others. At most 100,000 windows are read, from the beginning.

    Raises:
        DataError: ``text_too_short``, ``vocabulary_too_small`` or ``no_prompts``.

    >>> from_text("the cat and the dog and the cat " * 5, Params()).transition[0].round(2).tolist()  # "the"
    [0.05, 0.05, 0.58, 0.32]
    """
    most = params.vocab_size if params.vocab_size != Params().vocab_size else MOST_WORDS
    words = tokenise(text, "words")
    names = vocabulary(words, most)
    if len(names) < 2:
        raise DataError("vocabulary_too_small", f"the text has {len(names)} distinct words; at least 2 are needed.")
    ids = encode(words, names)
    size = len(names)
    bigrams = np.bincount(ids[:-1] * size + ids[1:], minlength=size**2).reshape(size, size) + 1.0
    found = windows(ids[: MAX_WINDOWS + params.prompt_length], params.prompt_length)
    include_self = params.include_self == "yes"
    counts = key_counts(found.sequences if include_self else found.sequences[:, :-1], size)
    kept = counts[np.arange(len(counts)), found.labels] > 0
    if not kept.any():
        detail = f"none of the {found.total} windows of {params.prompt_length} words contains its next word"
        raise DataError("no_prompts", f"{detail}; raise prompt_length.")
    design = grouped(counts[kept], found.sequences[kept, -1], found.labels[kept])
    chain = _from_table(NamedChain(bigrams / bigrams.sum(axis=1, keepdims=True), names), params, design)
    return replace(chain, dropped=found.total - design.weight.sum().item())


def from_log(rows: TokenRows, params: Params) -> Chain:
    """A log of prompts and next tokens; rows whose next token is not among the keys are dropped and counted.

    P is the smoothed maximum-likelihood estimate: each row also sees K made-up prompts that contain every token once
    and are followed by each token once. That is add-one smoothing for choices: no entry is 0, and ratios that the log
    does not determine stay near 1.

    Raises:
        DataError: ``no_prompts``, an empty prompt, ``token_out_of_range`` or ``vocabulary_too_large``.
    """
    if not rows.sequences:
        raise DataError("no_prompts", "the log has no rows.")
    highest = max(max(sequence, default=0) for sequence in (*rows.sequences, rows.labels))
    size = max(2, len(rows.names) or highest + 1)
    if size > LARGEST_VOCABULARY:
        found = f"{size} distinct words" if rows.names else f"token {highest}"
        raise DataError("vocabulary_too_large", f"the log has {found}; at most {LARGEST_VOCABULARY} tokens are read.")
    include_self = params.include_self == "yes"
    keys = [sequence if include_self else sequence[:-1] for sequence in rows.sequences]
    usable = [row for row, label in enumerate(rows.labels) if label in keys[row] or not rows.sequences[row]]
    if not usable:
        detail = f"none of the {len(keys)} prompts contains its next token among its keys"
        raise DataError("no_prompts", f"{detail}; such a model cannot produce it.")
    design = given_design(
        [rows.sequences[row] for row in usable], [rows.labels[row] for row in usable], size, include_self=include_self
    )
    names = rows.names if len(rows.names) == size else ()
    chain = _from_table(NamedChain(_smoothed_fit(design, size), names), params, design)
    return replace(chain, dropped=len(keys) - len(usable))


@dataclass(frozen=True)
class UnknownRatio:
    """log P[last, token] / P[last, other] cannot be determined: no chain of prompts links the two tokens."""

    last: int
    token: int
    other: int
    sentence: str


@dataclass(frozen=True, eq=False)
class IdentifiabilityReport:
    """What a person's prompts determine, and what they leave open.

    ``unknown`` is a basis: one ratio per extra component, from which every other unknown ratio follows; its length is
    K(K − 1) minus ``coverage.rank``. ``suggestions`` are prompts worth collecting, the most valuable first.
    ``unseen_last`` are tokens that no prompt ends with.
    """

    coverage: Coverage
    unknown: tuple[UnknownRatio, ...]
    suggestions: tuple[Suggestion, ...]
    unseen_last: tuple[int, ...]
    summary: str


def identifiability_report(chain: Chain) -> IdentifiabilityReport:
    """Which log-ratios the training prompts of ``chain`` determine, which they leave open, what to collect next."""
    found = coverage_of(chain.counts, chain.last)
    size = chain.vocab_size
    unknown: list[UnknownRatio] = []
    for last in np.flatnonzero(found.n_components > 1).tolist():
        largest, *others = sorted(found.components(last), key=lambda tokens: (-len(tokens), tokens))
        for tokens in others:
            names = [chain.name(token) for token in (last, tokens[0], largest[0])]
            sentence = f"after {names[0]}: {names[1]} against {names[2]}"
            unknown.append(UnknownRatio(last, tokens[0], largest[0], sentence))
    unseen = np.setdiff1d(np.arange(size), chain.last)
    summary = f"{found.rank} of {size * (size - 1)} independent log-ratios can be learnt from these prompts"
    return IdentifiabilityReport(
        found,
        tuple(unknown),
        next_prompts(found, include_self=chain.include_self),
        tuple(unseen.tolist()),
        summary + (f"; no prompt ends in {len(unseen)} of {size} tokens." if len(unseen) else "."),
    )


def _from_json(content: bytes, params: Params) -> Chain:
    try:
        document: Any = json.loads(decode_upload(content))
    except (ValueError, RecursionError):  # DataError included: reading it as a log says the same with a line number
        return from_log(parse_jsonl_sequences(content), params)
    if is_listed(document) or (isinstance(document, dict) and "prompt" in document and "next" in document):
        return from_log(parse_jsonl_sequences(content), params)
    return _from_table(from_json(document), params)


def _from_table(named: NamedChain, params: Params, design: Design | None = None) -> Chain:
    """The problem with this base chain; ``design`` replaces the training prompts that the parameters would draw."""
    values: dict[str, object] = {"transition": named.transition.tolist(), "token_names": named.names or None}
    values |= {"sequences": None, "labels": None}
    if named.prompt:
        values |= {"prompt": named.prompt}
    if design is None:
        return draw(params.with_values(**values), params.data_seed)
    values |= {"n_samples": 100, "unseen_pairs": 0, "islands": 1}
    chain = draw(params.with_values(**values), params.data_seed)
    return replace(chain, counts=design.counts, last=design.last, weight=design.weight, chosen=design.chosen)


def key_counts(keys: Integers, size: int) -> Integers:
    """How often each of ``size`` tokens stands in each row of keys (n, L): (n, size)."""
    row = np.arange(len(keys))[:, None] * size
    return np.bincount((row + keys).ravel(), minlength=len(keys) * size).reshape(-1, size).astype(np.int64)


def _smoothed_fit(design: Design, size: int) -> Floats:
    fitted = np.empty((size, size))
    for k in range(size):
        prompts, tokens = np.nonzero(design.chosen * (design.last == k)[:, None])
        counts: npt.NDArray[Any] = np.concatenate([design.counts[prompts], np.ones((size, size), dtype=np.int64)])
        chosen = np.append(tokens, np.arange(size))
        times = np.append(design.chosen[prompts, tokens], np.ones(size, dtype=np.int64))
        scores = fit_choice(counts, chosen, times).scores
        mass = np.exp(scores - scores.max())
        fitted[k] = mass / mass.sum()
    return fitted
