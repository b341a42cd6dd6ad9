"""Figures that follow a slider: sent as numbers to the page's own element ``bench-figure``, which draws them in 3 ms.

Plotly takes 35 ms and more to lay a figure out again, on every move; exports, JupyterLab and all other figures are
Plotly's. The element (in ``static/head.html``) draws scatter traces of one mode (lines, dashed or filled and with gaps;
discs and crosses with upright error bars; words), bars along x, shapes (circles and paths, also in pixels; rectangles;
lines), arrows and words as annotations. Axes are linear or logarithmic, of explicit range and with the ticks that
``tickvals`` or, on logarithmic ones, ``dtick`` say; ``scaleanchor`` is kept. :func:`unknown` names anything else.
"""

from __future__ import annotations

import json
from base64 import b64decode
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from widgets.kit.theme import figure_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

DIGITS = 6
"""Significant digits of the numbers sent: finer than a pixel, and than what a hover shows."""
AXIS = ("type", "range", "domain", "visible", "tickvals", "ticktext", "dtick", "showgrid", "scaleanchor", "title")
TRACE = {"type", "x", "y", "xaxis", "yaxis", "mode", "line", "marker", "fill", "fillcolor", "error_y", "cliponaxis"}
TRACE |= {"text", "textfont", "textposition", "name", "customdata", "hovertemplate", "hoverinfo"}
TRACE |= {"base", "width", "orientation"}
MODES = {("scatter", "lines"), ("scatter", "markers"), ("scatter", "text"), ("bar", None)}
ARRAYS = (dict, np.ndarray)
"""What may hold an array."""
SYMBOLS = {None, "circle", "x-thin"}
SHAPES = {"circle", "path", "rect", "line"}


def is_live(fig: go.Figure) -> bool:
    """Whether the figure's builder asks for the fast element."""
    return bool((fig.layout.meta or {}).get("live"))


def html(fig: go.Figure) -> str:
    """The figure as an element of the page; ``fig`` must consist of what the element draws (see :func:`unknown`)."""
    content = json.dumps(_content(fig), separators=(",", ":"), ensure_ascii=False)
    label = escape(figure_text(fig), quote=True)
    content = escape(content, quote=False).replace("'", "&#39;")
    return f"<bench-figure role='img' aria-label=\"{label}\" data-figure='{content}'></bench-figure>"


def unknown(fig: go.Figure) -> set[str]:
    """What the element would leave out of ``fig``; empty for every figure that may be live."""
    found: set[str] = set()
    plain = fig.to_plotly_json()
    for trace in plain["data"]:
        found |= trace.keys() - TRACE
        if (trace["type"], trace.get("mode")) not in MODES:
            found.add(f"{trace['type']} {trace.get('mode')}")
        if (symbol := trace.get("marker", {}).get("symbol")) not in SYMBOLS:
            found.add(str(symbol))
    for name, axis in plain["layout"].items():
        if name[1:5] == "axis" and ("range" not in axis or axis.get("type", "linear") not in ("linear", "log")):
            found.add(f"{name} without range")
    found |= {shape["type"] for shape in plain["layout"]["shapes"]} - SHAPES
    return found


def _content(fig: go.Figure) -> dict[str, Any]:
    # Not to_plotly_json(), which copies everything and encodes the arrays: 3 ms of a move.
    data, layout = fig._data, fig._layout
    axes = {
        name.replace("axis", "", 1): {
            key: _numbers(axis[key]) if isinstance(axis[key], ARRAYS) else axis[key] for key in AXIS if key in axis
        }
        for name, axis in layout.items()
        if name[1:5] == "axis"
    }
    kept = {name: layout[name] for name in ("height", "margin", "annotations", "shapes")}
    logs = {name for name, axis in axes.items() if axis.get("type") == "log"}
    traces = [
        {
            key: _numbers(part, key in ("x", "y") and trace.get(f"{key}axis", key) in logs)
            if isinstance(part, ARRAYS)
            else part
            for key, part in trace.items()
            if key != "hoverinfo"
        }
        for trace in data
    ]
    return {"data": traces, "layout": kept | {"axes": axes}}


def _numbers(value: Any, each: bool = False) -> Any:
    """Arrays, also as Plotly writes them, as lists; what is not finite becomes None.

    DIGITS significant digits of the largest number are kept, or of ``each``, for logarithmic axes.
    """
    if isinstance(value, dict):
        if "bdata" not in value:
            return {key: _numbers(part) if isinstance(part, ARRAYS) else part for key, part in value.items()}
        shape = tuple(int(size) for size in str(value.get("shape", "-1")).split(","))
        value = np.frombuffer(b64decode(value["bdata"]), value["dtype"]).reshape(shape)
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind != "f":
        return value.tolist()
    finite = np.isfinite(value)
    if each:
        return [float(f"{x:.{DIGITS}g}") if known else None for x, known in zip(value.tolist(), finite, strict=True)]
    largest = np.abs(value, where=finite, out=np.zeros(value.shape)).max(initial=1e-300)
    short = np.round(value.astype(float), DIGITS - int(np.ceil(np.log10(largest))))
    return short.tolist() if finite.all() else np.where(finite, short, None).tolist()
