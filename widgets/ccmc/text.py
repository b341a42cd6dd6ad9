"""Generated text as words on coloured chips: what collapse looks like to a reader."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from widgets.ccmc.growth import short, token_hues
from widgets.kit import theme

if TYPE_CHECKING:
    from xarray import Dataset

LONGEST_RUN = 6
"""A token repeated more often than this is written once, with how often it follows."""


def generated_text(data: Dataset, *, dark: bool = False, narrow: bool = False) -> str:
    """Pieces of generated text, one row per variant and place in the text, as HTML without scripts.

    Takes :func:`theory.ccmc.views.generated_text`: ``token`` (variant, place, position; -1 where a text ends),
    ``start`` (place: tokens before the piece), ``label`` (variant), ``name`` (token).
    """
    names = [short(name) for name in data.name.values]
    hues = token_hues(len(names), dark)
    colours = theme.palette(dark)
    styles: list[str] = []
    for hue in hues:
        tint = theme.mix(colours.paper, hue, 0.2)
        styles.append(f"background:{tint};color:{theme.readable(hue, tint)}")
    blocks: list[str] = []
    for variant, label in enumerate(data.label.values.tolist()):
        rows = [
            f'<p style="margin:4px 0;line-height:1.75;overflow-wrap:anywhere"><small style="color:{colours.muted}">'
            f"from token {int(start) + 1:,}</small> {_words(data.token.values[variant, place].tolist(), names, styles)}"
            "</p>"
            for place, start in enumerate(data.start.values.tolist())
        ]
        heading = (
            f'<b style="display:block;margin:0 0 2px;font-size:{theme.TEXT_SIZE}px">{theme.escape(str(label))}</b>'
        )
        blocks.append(f'<section style="min-width:0">{heading}{"".join(rows)}</section>')
    columns = 1 if narrow else len(blocks)
    grid = f"display:grid;grid-template-columns:repeat({columns},minmax(0,1fr));gap:18px"
    return f'<div style="{grid};font-size:{theme.TICK_SIZE}px">{"".join(blocks)}</div>'


def _words(tokens: list[int], names: list[str], styles: list[str]) -> str:
    """Words on chips; long runs of one token are folded into one chip with its count."""
    chips: list[str] = []
    for token, run in groupby(token for token in tokens if token >= 0):
        count = len(list(run))
        shape = f"border-radius:3px;padding:1px 4px;white-space:nowrap;{styles[token]}"
        if count > LONGEST_RUN:
            chips.append(f'<span style="{shape}">{names[token]} <b>× {count:,}</b></span>')
        else:
            chips += [f'<span style="{shape}">{names[token]}</span>'] * count
    return " ".join(chips)
