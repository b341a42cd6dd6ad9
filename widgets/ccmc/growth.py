"""The right half of the talk picture of the room ``ccmc``: the share of each token as a model feeds on its output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from widgets.kit import theme
from widgets.kit.drawing import Drawing
from widgets.kit.marks import write_labels

if TYPE_CHECKING:
    from xarray import Dataset

Floats = npt.NDArray[np.float64]
LONGEST_NAME = 10
"""Characters of a token's name in a figure."""
MOST_NAMES = 20
"""More ends of curves have no room beside the panel; the hover names the others."""
LONGEST_LIST = 14
"""Characters of several winners named in one label."""
MOST_CASES = 24
"""Up to so many predicted lines say in the hover for which winners they hold."""
FEW_DECADES = 1.6
TICKS = {"tickvals": [0.02, 0.05, 0.1, 0.2, 0.5, 1.0], "ticktext": ["0.02", "0.05", "0.1", "0.2", "0.5", "1"]}
"""Ticks of an axis of few decades, where powers of ten are too few."""
HUES = (0, 3, 2, 1, 4, 5, 6)
"""Order of the bench's token colours in this room: two tokens are the usual case, and must not be two blues."""
LOSER, WINNER = (1.0, 0.45), (1.3, 0.55)
"""Width and opacity of a run's curve where its token loses, and where it wins."""


def token_hues(n: int, dark: bool) -> list[str]:
    """``n`` colours for tokens 0..n-1 of this room; token i has the same hue for every ``n`` and in both modes."""
    colours = theme.token_colours(7 * -(-n // 7), dark)
    return [colours[at - at % 7 + HUES[at % 7]] for at in range(n)]


def short(name: object) -> str:
    """A token's name as it is written in figures: escaped, and not too long for its place.

    >>> short("a name that is too long")
    'a name th…'
    """
    text = str(name)
    return theme.escape(text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…")


def draw_growth(drawing: Drawing, growth: Dataset, dark: bool, axis: str = "", compact: bool = False) -> float:
    """Draw ``growth`` (see :func:`theory.ccmc.views.growth`) on the axes x<axis> and y<axis>.

    Thin lines are runs, dashed lines the theory. Returns the pixels that the names at the curves' ends take.
    """
    hues = token_hues(int(growth.attrs["vocab_size"]), dark)
    names = [short(name) for name in growth.name.values]
    axes = {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
    time = growth.time.values.astype(np.float64)
    span = share_range(growth)
    if "share" in growth:
        _runs(drawing, growth, names, hues, time, axes, compact)
    _lines(drawing, growth, names, hues, time, axes, compact)
    stop = float(time[-1])
    decades = np.log10(stop / time[0])
    height = span[1] - span[0]
    drawing.update_layout(
        **{
            f"xaxis{axis}": {
                "type": "log",
                "range": [float(np.log10(time[0])), float(np.log10(stop))],
                "dtick": max(1, int(np.ceil(decades / 4.5))),
                "exponentformat": "power",
                "tickangle": 0,
                "title": {"text": "tokens so far n"},
            },
            f"yaxis{axis}": {
                "type": "log",
                "range": list(span),
                **({"dtick": max(1, round(height / 5)), "exponentformat": "power"} if height > FEW_DECADES else TICKS),
                "title": {"text": "share of each token"},
            },
        }
    )
    return 0.0 if compact else _names(drawing, growth, names, hues, stop, span, dark, axes)


def share_range(growth: Dataset) -> tuple[float, float]:
    """Range of the share axis in powers of ten: all that is drawn, at least one decade."""
    values = [growth.line.values.ravel()]
    if "share" in growth:
        values.append(growth.share.values.ravel())
    together = np.concatenate(values)
    together = together[np.isfinite(together) & (together > 0)]
    low = float(np.log10(together.min())) if together.size else -1.0
    low = min(low, -1.0)
    return low - 0.03 * abs(low), 0.04 * abs(low)


def _runs(
    drawing: Drawing,
    growth: Dataset,
    names: list[str],
    hues: list[str],
    time: Floats,
    axes: dict[str, str],
    compact: bool,
) -> None:
    share = np.where(growth.share.values > 0, growth.share.values, np.nan)
    # The row added at the end is that of runs that reached no winner set (-1).
    member = np.vstack([growth.member.values.astype(bool), np.zeros(len(names), dtype=bool)])
    wins = member[growth.winner.values.astype(np.int64)]
    for wide, chosen in ((LOSER, ~wins), (WINNER, wins)):
        for token, (name, hue) in enumerate(zip(names, hues, strict=True)):
            inside = np.flatnonzero(chosen[:, token] & np.isfinite(share[:, :, token]).any(axis=1))
            if not len(inside):
                continue
            x, y = joined(np.tile(time, (len(inside), 1)), share[inside, :, token])
            drawing.add_scatter(
                x=x,
                y=y,
                mode="lines",
                line={"width": wide[0] * (0.7 if compact else 1.0), "color": theme.translucent(hue, wide[1])},
                name=f"{name} in simulated runs",
                hoverinfo="skip",
                **axes,
            )


def joined(x: Floats, y: Floats) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Many curves (curve, point) as one trace: a gap after each. Single precision is plenty for a screen."""
    gap = np.full((len(x), 1), np.nan)
    flat = (np.hstack([values, gap]).ravel().astype(np.float32) for values in (x, y))
    across, up = flat
    return across, up


def _lines(
    drawing: Drawing,
    growth: Dataset,
    names: list[str],
    hues: list[str],
    time: Floats,
    axes: dict[str, str],
    compact: bool,
) -> None:
    line, slope, member = growth.line.values, growth.slope.values, growth.member.values.astype(bool)
    cases = [" and ".join(names[token] for token in np.flatnonzero(row)) for row in member]
    told = len(cases) > 1 and member.size <= MOST_CASES
    for token, (name, hue) in enumerate(zip(names, hues, strict=True)):
        drawn = np.flatnonzero(np.isfinite(line[:, token]).any(axis=1))
        if not len(drawn):
            continue
        x, y = joined(np.tile(time, (len(drawn), 1)), line[drawn, token])
        known = np.repeat(slope[drawn, token], len(time) + 1)
        drawing.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line={"dash": "dash", "width": 1.2 if compact else 2.0, "color": hue},
            customdata=known.astype(np.float32),
            name=f"{name} (theory)",
            text=[f" if {cases[which]} wins" for which in drawn for _ in range(len(time) + 1)] if told else None,
            hovertemplate=f"{name}: slope %{{customdata:.3f}} predicted{'%{text}' if told else ''}"
            "<br>n = %{x:.3g}<extra></extra>",
            **axes,
        )


def _names(
    drawing: Drawing,
    growth: Dataset,
    names: list[str],
    hues: list[str],
    stop: float,
    span: tuple[float, float],
    dark: bool,
    axes: dict[str, str],
) -> float:
    line, slope, member = growth.line.values[:, :, -1], growth.slope.values, growth.member.values.astype(bool)
    ends: dict[tuple[int, float], tuple[float, str, str]] = {}
    winners = np.flatnonzero(member[member.sum(axis=1) == 1].any(axis=0)).tolist()
    if winners:
        listed = " or ".join(names[token] for token in winners)
        said = (
            f"{listed} wins" if len(winners) == 1 or len(listed) <= LONGEST_LIST else f"{len(winners)} tokens can win"
        )
        ends[-1, 0.0] = (0.0, said, hues[winners[0]] if len(winners) == 1 else theme.palette(dark).ink)
    word = "slope " if max(len(name) for name in names) <= 5 else ""
    for group, token in zip(*np.nonzero(np.isfinite(line) & (line > 0)), strict=True):
        place = float(np.log10(line[group, token]))
        if member[group, token] and member[group].sum() == 1:
            continue
        said = f"{10**place:.0%}" if member[group, token] else f"{word}{theme.signed(float(slope[group, token]))}"
        ends.setdefault((int(token), round(place, 2)), (place, f"{names[token]}: {said}", hues[token]))
    found = sorted(ends.values())
    kept = theme.spaced([place for place, _, _ in found], MOST_NAMES) if len(found) > MOST_NAMES else range(len(found))
    shown = [found[at] for at in kept]
    labels = theme.end_labels(*([label[part] for label in shown] for part in range(3)), span)
    write_labels(drawing, labels, stop, span, dark, log=True, **axes)
    return max([theme.text_width(label.text) for label in labels], default=0.0)
