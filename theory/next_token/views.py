"""What each figure draws, as small labelled Datasets: all computation of the figures lives here, none in the drawing.

Raw runs come from the experiment ``training``: variables ``logits`` (step, token, last), ``loss`` and ``log_time``
(step), attribute ``step_size``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.core.errors import DataError, ParameterError
from theory.next_token.automaton import automaton_next, read_prompt
from theory.next_token.extraction import extract
from theory.next_token.graph import Column
from theory.next_token.sharp import predicted_logits
from theory.next_token.structure import Solution

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TIME_POINTS = 25


def anatomy(solution: Solution, last: int, limit: int | None = None) -> Dataset:
    """The condensation of one last token: what the talk picture's left panel and the explorer draw.

    Components are sorted from the highest predicted level down, tokens inside a component by soft weight. Where no
    matrix meets the margins (attribute ``feasible`` is 0) a component stands at minus its depth in the order.

    Args:
        limit: keep only so many components from the top; attribute ``hidden`` counts the others.

    Returns:
        ``level``, ``size`` (component); ``name``, ``member`` (its component), ``weight`` (share in its component)
        (token); ``upper``, ``lower`` (edge): the cover relations. Attributes ``last``, ``last_name``, ``vocab_size``,
        ``hidden``.

    Raises:
        DataError: ``no_data``, no prompt ends in ``last``.
    """
    _require_data(solution, last)
    part = solution.part(last)
    graph = part.condensation.restricted(last) if part is solution else part.condensation
    tokens, scc = graph.tokens, graph.scc
    first = np.unique(scc, return_index=True)[1]
    if solution.geometry is not None:
        level = _heights(solution, last)[tokens[first]]
    elif part is solution:
        start, stop = part.condensation.scc_starts[[last, last + 1]]
        level = part.svm.levels[start:stop]
    else:
        level = part.svm.levels
    mass = np.exp(graph.scores)
    weight = mass / np.bincount(scc, mass)[scc]
    order = np.argsort(-level, kind="stable")[:limit]
    rank = np.full(len(level), -1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    inside = np.flatnonzero(rank[scc] >= 0)
    inside = inside[np.lexsort((tokens[inside], -weight[inside], rank[scc[inside]]))]
    covers = rank[Column(last, scc, graph.n_components, graph.edges).reduced_edges]
    covers = covers[(covers >= 0).all(axis=1)]
    prompts = solution.prompts
    return Dataset(
        {
            "level": (
                "component",
                level[order],
                {"long_name": "predicted level z", "units": "logit per unit log time"},
            ),
            "size": ("component", graph.size[order], {"long_name": "tokens in the component"}),
            "name": ("token", [prompts.name(token) for token in tokens[inside].tolist()]),
            "member": ("token", rank[scc[inside]]),
            "weight": ("token", weight[inside], {"long_name": "soft weight inside the component"}),
            "upper": ("edge", covers[:, 0]),
            "lower": ("edge", covers[:, 1]),
        },
        coords={"token": tokens[inside]},
        attrs={
            "last": last,
            "last_name": prompts.name(last),
            "vocab_size": prompts.vocab_size,
            "feasible": int(solution.feasible),
            "hidden": len(level) - len(order),
        },
    )


def curves(
    solution: Solution,
    last: int,
    raw: Dataset | None = None,
    until: float = 12.0,
    initial: Floats | None = None,
) -> Dataset:
    """Predicted asymptotes of the logits of one last token, and the trained logits at their checkpoints.

    Where the theory fixes slopes but not heights (support edges that leave the column in several blocks, degenerate
    edges), each block's lines are moved to the last measured point; attribute ``anchored`` then says so. Where no
    matrix meets the margins there are no lines: NaN.

    Args:
        raw: a training run; without it the Dataset has no ``measured``.
        until: log-time up to which the lines go when there is no run.
        initial: (K, K) initial logits of the run; zero when left out.

    Returns:
        ``log_time`` (time), ``predicted`` (token, time), ``level``, ``name`` (token); with a run ``measured_log_time``
        (step), ``measured`` and ``predicted_at_step`` (token, step).

    Raises:
        DataError: ``no_data``, no prompt ends in ``last``.
    """
    _require_data(solution, last)
    seen = np.flatnonzero(solution.seen[:, last])
    seen = seen[np.argsort(-_heights(solution, last)[seen], kind="stable")]
    level = resting = np.full(len(seen), np.nan)
    silent = False
    if solution.feasible:
        level = solution.levels[seen, last]
        resting = predicted_logits(solution, 0.0, initial)[seen, last]
        silent = bool(solution.degenerate[last] or not solution.connected[last])
    data: dict[str, tuple[object, ...]] = {}
    coords: dict[str, object] = {"token": seen}
    start = 0.0
    if raw is not None and raw.sizes["step"]:
        time = np.asarray(raw.log_time.values, dtype=np.float64)
        measured = np.asarray(raw.logits.values, dtype=np.float64)[:, seen, last].T
        if silent:
            resting = resting + _block_shift(solution, last, seen, measured[:, -1] - resting - level * time[-1])
        start, until = float(min(time[0], 0.0)), float(time[-1])
        data["measured_log_time"] = ("step", time)
        data["measured"] = (("token", "step"), measured, {"long_name": "logit", "units": "nats"})
        data["predicted_at_step"] = (("token", "step"), resting[:, None] + level[:, None] * time)
        coords["step"] = raw.step.values
    grid = np.linspace(start, until, TIME_POINTS)
    predicted = resting[:, None] + level[:, None] * grid
    data["log_time"] = ("time", grid, {"long_name": "log time log(ηt)"})
    data["predicted"] = (("token", "time"), predicted, {"long_name": "logit", "units": "nats"})
    data["level"] = ("token", level)
    data["name"] = ("token", [solution.prompts.name(token) for token in seen.tolist()])
    attrs = {
        "last": last,
        "last_name": solution.prompts.name(last),
        "vocab_size": solution.prompts.vocab_size,
        "anchored": int(silent),
    }
    return Dataset(data, coords=coords, attrs=attrs)


def playground(solution: Solution, prompt: Sequence[int] | Ints, logits: Floats | None = None) -> Dataset:
    """Next-token probabilities of one prompt: the automaton's, and the trained model's when ``logits`` are given.

    Args:
        prompt: token ids, the last token included.
        logits: (K, K) trained logits [token, last].

    Returns:
        ``name``, ``count``, ``predicted`` and, with ``logits``, ``trained`` (token: the distinct tokens of the prompt).
        Attributes ``certificate``, ``explanation``, ``prompt``, ``vocab_size``.

    Raises:
        DataError: the prompt is empty or has a token outside the vocabulary.
    """
    tokens, counts, last = read_prompt(solution, prompt)
    found = automaton_next(solution, prompt)
    names = solution.prompts.name
    data: dict[str, tuple[object, ...]] = {
        "name": ("token", [names(token) for token in tokens.tolist()]),
        "count": ("token", counts.astype(np.int64)),
        "predicted": ("token", found.distribution[tokens], {"long_name": "probability of the next token"}),
    }
    if logits is not None:
        scores = logits[tokens, last] - logits[tokens, last].max()
        mass = counts * np.exp(scores)
        data["trained"] = ("token", mass / mass.sum(), {"long_name": "probability of the next token"})
    attrs = {
        "certificate": found.certificate,
        "explanation": found.detail.explanation,
        "prompt": " ".join(names(int(token)) for token in prompt),
        "vocab_size": solution.prompts.vocab_size,
    }
    return Dataset(data, coords={"token": tokens}, attrs=attrs)


def extraction(solution: Solution, last: int, raw: Dataset, ratio: float = 2.0) -> Dataset:
    """Slope differences of all pairs of seen tokens, read from two checkpoints of a run, and the true relation.

    Args:
        ratio: the earlier checkpoint is the latest one at or before (last step) / ratio.

    Returns:
        ``difference``, ``relation`` (above, below): level of the row minus level of the column as trained; 1, 0, -1 for
        priority, same component, the reverse, NaN for incomparable tokens. ``name`` (above).

    Raises:
        DataError: ``no_data``, no prompt ends in ``last``.
        ParameterError: the run has no checkpoint early enough.
    """
    _require_data(solution, last)
    steps: Ints = np.asarray(raw.step.values, dtype=np.int64)
    early = int((steps <= steps[-1] / ratio).sum()) - 1
    if early < 0:
        raise ParameterError("ratio", ratio, f"at most {steps[-1] / steps[0]:g}, the span of the run's checkpoints")
    seen = np.flatnonzero(solution.seen[:, last])
    seen = seen[np.argsort(-solution.levels[seen, last], kind="stable")]
    log_ratio = float(raw.log_time.values[-1] - raw.log_time.values[early])
    slopes = extract(raw.logits.values[early], raw.logits.values[-1], log_ratio)[seen, last]
    graph = solution.condensation
    scc = graph.scc_of(last, seen)
    below = np.array([[lower in graph.reaches(upper) for lower in scc.tolist()] for upper in scc.tolist()])
    relation = np.where(below | below.T, below.astype(np.float64) - below.T, np.nan)
    names = [solution.prompts.name(token) for token in seen.tolist()]
    return Dataset(
        {
            "difference": (("above", "below"), slopes[:, None] - slopes[None, :], {"units": "logit per unit log time"}),
            "relation": (("above", "below"), relation),
            "name": ("above", names),
        },
        coords={"above": seen, "below": seen},
        attrs={"last": last, "last_name": solution.prompts.name(last)},
    )


def _block_shift(solution: Solution, last: int, tokens: Ints, gaps: Floats) -> Floats:
    graph = solution.condensation
    block = solution.offset_solution.blocks[graph.scc_of(last, tokens)]
    if solution.degenerate[last]:
        block = graph.scc_of(last, tokens)
    _, group = np.unique(block, return_inverse=True)
    return (np.bincount(group, gaps) / np.bincount(group))[group]


def _heights(solution: Solution, last: int) -> Floats:
    """(K,) predicted levels of one last token; minus the depth in the order where there are none."""
    if solution.feasible:
        return solution.levels[:, last]
    return -solution.structure.levels_from_top(last).astype(np.float64)


def _require_data(solution: Solution, last: int) -> None:
    if not (solution.condensation.column == last).any():
        name = solution.prompts.name(last)
        raise DataError("no_data", f"no data for this last token: no prompt ends in token {name}.")
