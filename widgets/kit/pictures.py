"""The gallery's pictures: each room's opening figure in small, drawn from the result of one of its claims.

A room that draws its own has ``PICTURED`` (the claim) and ``picture(result, dark)`` in ``widgets/<room>/figures.py``;
any other is shown by the picture of its first claim.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from theory.core import catalog
from widgets.kit.thumbnail import figure_svg

if TYPE_CHECKING:
    from theory.core.bench import Result


def pictured(room_id: str) -> str:
    """The id of the claim whose measurement is in a room's picture."""
    own = _figures(room_id)
    return own.PICTURED if own is not None else catalog.room(room_id).claims[0].id


def thumbnail(room_id: str, result: Result, *, dark: bool) -> str:
    """A room's opening figure in small, as SVG: predicted lines and the points measured for ``result``."""
    from widgets.kit import theme
    from widgets.kit.claim_picture import picture_of

    own = _figures(room_id)
    fig = own.picture(result, dark) if own is not None else picture_of(result, dark=dark)
    return figure_svg(fig, theme.figure_text(fig))


@cache
def _has_figures(room_id: str) -> bool:
    """Whether the room draws a picture of its own; says so without importing Plotly."""
    name = f"widgets.{room_id}"
    return find_spec(name) is not None and find_spec(f"{name}.figures") is not None


def _figures(room_id: str) -> Any:
    found = import_module(f"widgets.{room_id}.figures") if _has_figures(room_id) else None
    return found if hasattr(found, "PICTURED") else None
