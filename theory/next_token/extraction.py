"""Read the automaton from trained weights: slopes of the logits in log-time are the Graph-SVM levels (ours)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from theory.core.errors import ParameterError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

THRESHOLD = 0.5
"""Slope differences tend to 0 within a component and to at least 1 across a priority: one half separates them."""


def extract(logits_early: Floats, logits_late: Floats, log_ratio: float) -> Floats:
    """Slopes of the logits in log-time from two checkpoints; they tend to the levels z.

    Args:
        logits_early, logits_late: (..., K, K) logits [token, last] at times t1 < t2.
        log_ratio: ``log(t2 / t1)``.
    """
    if not log_ratio > 0:
        raise ParameterError("log_ratio", log_ratio, "a number above 0: the later checkpoint comes second")
    if logits_early.shape != logits_late.shape:
        raise ParameterError("logits_early", f"array of shape {logits_early.shape}", f"shape {logits_late.shape}")
    return (logits_late - logits_early) / log_ratio


def pair_relation(slopes: Floats, threshold: float = THRESHOLD) -> npt.NDArray[np.int8]:
    """Relation [token, other, last] of every two tokens: 1 priority over the other, -1 the reverse, 0 the same level.

    Meaningful for tokens that are comparable; equal levels of incomparable tokens cannot be told from a component.
    """
    difference = slopes[..., :, None, :] - slopes[..., None, :, :]
    return (np.sign(difference) * (np.abs(difference) > threshold)).astype(np.int8)


def true_relation(reaches: Bools) -> tuple[npt.NDArray[np.int8], Bools]:
    """Relation and comparability [token, other, last] of a reachability relation ``reaches[token, other, last]``."""
    back = np.swapaxes(reaches, -3, -2)
    comparable = (reaches | back) & ~np.eye(reaches.shape[-3], dtype=np.bool_)[:, :, None]
    return (reaches.astype(np.int8) - back.astype(np.int8)).astype(np.int8), comparable


def level_sets(slopes: Floats, seen: Bools, gap: float = 0.1) -> Ints:
    """Recovered level sets [token, last], numbered from the top; -1 for unseen tokens.

    Sorted slopes of one last token are cut wherever neighbours differ by more than ``gap``. Levels of incomparable
    components may be as close as 1/6, so the cut is finer than the threshold for comparable pairs.
    """
    sets = np.full(slopes.shape, -1, dtype=np.int64)
    for last in np.flatnonzero(seen.any(axis=0)):
        tokens = np.flatnonzero(seen[:, last])
        order = tokens[np.argsort(-slopes[tokens, last], kind="stable")]
        cuts = -np.diff(slopes[order, last]) > gap
        sets[order, last] = np.concatenate([[0], np.cumsum(cuts)])
    return sets
