"""Surveys of many data sets: when random data contradict themselves, and what windows of a text offer the theorem."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from xarray import Dataset

from theory.core.errors import DataError, ParameterError
from theory.next_token.components import connected_pairs
from theory.next_token.problem import Prompts
from theory.shared.intervals import Z, wilson
from theory.shared.statistics import mean_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FLIPS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
PROMPTS = (5, 10, 20, 40, 80, 160)
WINDOWS = (2, 4, 8, 16, 32, 64)


def phase_map(
    vocab_size: int = 12,
    prompt_length: int = 4,
    flips: tuple[float, ...] = FLIPS,
    n_prompts: tuple[int, ...] = PROMPTS,
    seeds: int = 200,
    seed: int = 0,
) -> Dataset:
    """How often random data are free of contradictions, over label flips and number of prompts.

    Each data set has one last token and follows the law of the generator ``ranked_noise``: uniform tokens, the label is
    the first of a hidden ranking, or with the flip probability uniform among the distinct tokens present. All data sets
    of a cell are one block-diagonal graph.

    Returns:
        ``acyclic`` (share of data sets, 95 % Wilson interval) and ``largest`` (mean share of the vocabulary in the
        largest component, 95 % normal interval), both (statistic, prompts, flips).

    Raises:
        ParameterError: fewer than two tokens, prompt tokens or seeds.
    """
    for name, value in (("vocab_size", vocab_size), ("prompt_length", prompt_length), ("seeds", seeds)):
        if value < 2:
            raise ParameterError(name, value, "an integer of at least 2")
    acyclic = np.empty((3, len(n_prompts), len(flips)))
    largest = np.empty_like(acyclic)
    for row, n in enumerate(n_prompts):
        for column, flip in enumerate(flips):
            generator = np.random.default_rng([seed, n, round(1e6 * flip), vocab_size, prompt_length])
            biggest = _largest_components(generator, vocab_size, prompt_length, flip, n, seeds)
            acyclic[:, row, column] = wilson(int((biggest == 1).sum()), seeds)
            share = mean_of(biggest / vocab_size)
            largest[:, row, column] = share.mean + Z * share.error * np.array([0, -1, 1])
    return Dataset(
        {
            "acyclic": (("statistic", "prompts", "flips"), acyclic, {"long_name": "share of acyclic graphs"}),
            "largest": (("statistic", "prompts", "flips"), largest, {"long_name": "largest component / vocabulary"}),
        },
        coords={"statistic": ["mean", "low", "high"], "prompts": list(n_prompts), "flips": list(flips)},
        attrs={"seeds": seeds, "vocab_size": vocab_size, "prompt_length": prompt_length},
    )


def text_windows(
    stream: Ints,
    vocab_size: int,
    windows: Sequence[int] = WINDOWS,
    source: str = "the text",
    limit: int = 50_000,
) -> Dataset:
    """What windows of a text offer the theorem: realisable next tokens, contradictions, the largest component.

    Args:
        stream: (n,) token ids of the text in order.
        limit: at most so many windows per length, evenly spread over the text.

    Returns:
        ``realisable`` (share of windows that contain their next token), ``in_cycles`` (share of (last, label) pairs
        that lie in a component of several tokens), both with 95 % Wilson intervals, and ``largest`` (tokens of the
        largest component / vocabulary), all (statistic, window).

    Raises:
        DataError: ``too_short`` when no window fits.
    """
    fitting = [window for window in windows if window < len(stream)]
    if not fitting:
        message = f"the text has {len(stream)} tokens; the shortest window needs {min(windows) + 1}"
        raise DataError("too_short", message)
    realisable, in_cycles, largest = (np.full((3, len(fitting)), np.nan) for _ in range(3))
    for at, window in enumerate(fitting):
        rows = np.lib.stride_tricks.sliding_window_view(stream, window + 1)
        rows = rows[np.linspace(0, len(rows) - 1, min(limit, len(rows))).astype(np.int64)]
        kept = rows[(rows[:, :-1] == rows[:, -1:]).any(axis=1)]
        realisable[:, at] = wilson(len(kept), len(rows))
        if not len(kept):
            in_cycles[:, at], largest[:, at] = (0.0, 0.0, 0.0), 1 / vocab_size
            continue
        offsets = np.arange(len(kept) + 1, dtype=np.int64) * window
        prompts = Prompts(np.ascontiguousarray(kept[:, :-1]).ravel(), offsets, kept[:, -1].copy(), vocab_size)
        pairs = connected_pairs(prompts)
        chosen = np.unique(prompts.last * vocab_size + prompts.labels)
        cyclic = pairs.sizes[pairs.label[np.searchsorted(pairs.nodes, chosen)]] > 1
        in_cycles[:, at] = wilson(int(cyclic.sum()), len(chosen))
        largest[:, at] = pairs.sizes.max() / vocab_size
    return Dataset(
        {
            "realisable": (("statistic", "window"), realisable, {"long_name": "windows that contain their next token"}),
            "in_cycles": (("statistic", "window"), in_cycles, {"long_name": "labels in cycles"}),
            "largest": (("statistic", "window"), largest, {"long_name": "largest component / vocabulary"}),
        },
        coords={"statistic": ["mean", "low", "high"], "window": fitting},
        attrs={"source": source, "vocab_size": vocab_size, "tokens": len(stream)},
    )


def _largest_components(
    generator: np.random.Generator, vocab_size: int, prompt_length: int, flip: float, n: int, seeds: int
) -> Ints:
    """(seeds,) tokens in the largest component of each data set."""
    prompts = generator.integers(vocab_size, size=(seeds, n, prompt_length))
    prompts[:, :, -1] = generator.integers(vocab_size, size=(seeds, 1))
    rank = generator.permuted(np.tile(np.arange(vocab_size), (seeds, 1)), axis=1)
    ranks = np.take_along_axis(rank, prompts.reshape(seeds, -1), axis=1).reshape(prompts.shape)
    best = np.take_along_axis(prompts, ranks.argmin(axis=-1)[..., None], axis=-1)
    ordered = np.sort(prompts, axis=-1)
    fresh = np.concatenate([np.ones((seeds, n, 1), bool), ordered[..., 1:] != ordered[..., :-1]], axis=-1)
    lottery = np.where(fresh, generator.random(ordered.shape), -1.0)
    drawn = np.take_along_axis(ordered, lottery.argmax(axis=-1)[..., None], axis=-1)
    labels = np.where(generator.random((seeds, n, 1)) < flip, drawn, best)
    base = vocab_size * np.arange(seeds)[:, None, None]
    source = np.broadcast_to(base + labels, prompts.shape).ravel()
    target = (base + prompts).ravel()
    nodes = seeds * vocab_size
    graph = csr_array((np.ones(len(source), dtype=np.int8), (source, target)), shape=(nodes, nodes))
    count, label = connected_components(graph, directed=True, connection="strong")
    sizes = np.bincount(label, minlength=count)
    return sizes[label].reshape(seeds, vocab_size).max(axis=1)
