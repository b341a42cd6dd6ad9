"""A claim's picture, read off what it predicts and measures: theory is a line, measurement a point, a rival dotted.

A number is a level, a vector a curve over its coordinate, a small table one curve per row; anything larger is drawn as
what was measured against what was predicted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from xarray import DataArray, Dataset

from theory.core.compare import ALLOWANCE, STANDARD_ERROR, shared_variables
from widgets.kit import theme
from widgets.kit.drawing import Drawing

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from theory.core.bench import Result

Floats = npt.NDArray[np.float64]
PANELS, CURVES, MOST_POINTS, RIVALS = 2, 6, 300, 3
CATEGORIES = 12
"""Entries without an order of their own that are still drawn side by side."""
PAGE = 640.0
"""Pixels of width that the names at the ends of curves are given room on; a wider figure leaves them more."""
TICKS = 44
"""Pixels for a panel's own ticks."""
LONGEST = 24
"""Letters of a name at the end of a curve."""
LONGEST_TITLE = 44
"""Letters of a panel's title."""
SIGMAS = 4.0
"""Standard errors that a bar is long, to either side."""
ROUNDING = 1e-12
"""Differences up to this size are none."""
DECADES = 2.0
"""Coordinates that span more powers of ten than this are drawn on a logarithmic axis."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One line of a panel with the points measured on it, and how each rival would have it."""

    label: str
    x: Floats
    predicted: Floats
    measured: Floats | None
    error: Floats | None
    rivals: Mapping[str, Floats]

    @property
    def drawn(self) -> tuple[Floats | None, ...]:
        """What must be in sight: the line, the points and the ends of their bars."""
        if self.measured is None or self.error is None:
            return self.predicted, self.measured
        return self.predicted, self.measured - SIGMAS * self.error, self.measured + SIGMAS * self.error


def picture_of(result: Result, *, dark: bool = False, narrow: bool = False) -> go.Figure:
    """The picture of a checked claim, with what the wrong formulas of the claim predict at the same parameters."""
    shown: Any = result.shown
    rivals = {rival.name: rival.predict(result.params, shown.problem) for rival in result.claim.rivals}
    return claim_picture(result.claim.title, result.prediction, result.measurement, rivals, dark=dark, narrow=narrow)


def claim_picture(
    title: str,
    prediction: Dataset,
    measured: Dataset | None = None,
    rivals: Mapping[str, Dataset] | None = None,
    *,
    dark: bool = False,
    narrow: bool = False,
) -> go.Figure:
    """Prediction and, when there is one, measurement: a panel for each of the first two variables."""
    names = _drawn(prediction, measured, rivals or {})[:PANELS]
    drawing, share = Drawing(), 1 / max(1, len(names))
    said, reach = "", 16.0
    for at, name in enumerate(names):
        axis = "" if at == 0 else str(at + 1)
        sentence, wide = _panel(drawing, axis, prediction[name], _beside(name, measured), rivals or {}, dark)
        left, right = (TICKS / PAGE if at else 0.0), (0.0 if narrow else wide / PAGE)
        drawing.update_layout(**{f"xaxis{axis}": {"domain": [at * share + left, (at + 1) * share - right]}})
        said, reach = f"{said} {sentence}", max(reach, wide)
    drawing.update_layout(margin={"l": TICKS, "r": reach if narrow else 16})
    alt = f"{title}.{said or ' Nothing of it can be drawn as numbers.'}"
    return drawing.figure(alt, dark, f"claim {title}", stacked=narrow)


def _drawn(prediction: Dataset, measured: Dataset | None, rivals: Mapping[str, Dataset]) -> list[str]:
    """Names worth a panel: what is measured, else what is predicted to be; first what most wrong formulas change."""
    names = list(shared_variables(prediction, measured)) if measured is not None else []
    if not names:
        names = [str(n) for n, v in prediction.data_vars.items() if "not_measured" not in v.attrs]
        names = [name for name in names if not name.endswith(ALLOWANCE)]
    names = [n for n in names if prediction[n].dtype.kind in "fiub" and np.isfinite(_numbers(prediction[n])).any()]
    return sorted(names, key=lambda n: (-len(_wrong(prediction[n], rivals)), not np.any(_numbers(prediction[n]))))


def _wrong(predicted: DataArray, rivals: Mapping[str, Dataset]) -> dict[str, DataArray]:
    """The rivals' values of a variable, where they differ from the prediction."""
    found = {name: data[predicted.name] for name, data in rivals.items() if predicted.name in data}
    return {
        name: values
        for name, values in found.items()
        if values.dims == predicted.dims
        and values.shape == predicted.shape
        and not np.allclose(_numbers(values), _numbers(predicted), equal_nan=True)
    }


def _beside(name: str, measured: Dataset | None) -> tuple[DataArray | None, DataArray | None]:
    if measured is None or name not in measured:
        return None, None
    return measured[name], measured.get(name + STANDARD_ERROR)


def _panel(
    drawing: Drawing,
    axis: str,
    predicted: DataArray,
    found: tuple[DataArray | None, DataArray | None],
    rivals: Mapping[str, Dataset],
    dark: bool,
) -> tuple[str, float]:
    """Draw one variable; returns a sentence about it, and the pixels that the names at the ends of curves take."""
    wrong = dict(list(_wrong(predicted, rivals).items())[:RIVALS])
    label = str(predicted.attrs.get("long_name", predicted.name)).replace("_", " ")
    along = str(predicted.dims[int(np.argmax(predicted.shape))]) if predicted.dims else ""
    ordered = along in predicted.coords or predicted.size <= CATEGORIES
    if predicted.ndim > 2 or not ordered or (predicted.ndim == 2 and min(predicted.shape) > CURVES):
        curves = _against(predicted, found)
        titles, ticks = ("predicted", f"measured {label}"), None
    else:
        curves = _along(predicted, found, wrong, along)
        titles, ticks = (along.replace("_", " "), label), _words(predicted, along)
    colours = theme.token_colours(max(len(curves), 3), dark)
    axes = {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
    low, high = _span([part for curve in curves for part in (*curve.drawn, *curve.rivals.values())])
    for curve, colour in zip(curves, colours, strict=False):
        _draw(drawing, curve, colour, dark, axes)
    x = np.concatenate([curve.x for curve in curves])
    log = bool(ticks is None and predicted.ndim <= 1 and x.min() > 0 and np.log10(x.max() / x.min()) > DECADES)
    start, end = (np.log10([x.min(), x.max()]) if log else np.array([x.min(), x.max()])).tolist()
    room = (0.12 if ticks else 0.03) * ((end - start) or 1.0)
    whole = ticks is None and float(np.ptp(x)) <= CATEGORIES and bool((x == np.round(x)).all())
    ends = [named for named in _names(curves, colours) if np.isfinite(named[0])]
    labels = theme.end_labels(*map(list, zip(*ends, strict=True)), (low, high)) if ends else []
    for label_at in labels:
        drawing.add_annotation(
            x=end + room,
            y=label_at.value,
            text=theme.escape(label_at.text),
            xanchor="left",
            yshift=label_at.shift,
            xref=axes["xaxis"],
            yref=axes["yaxis"],
            showarrow=False,
            font={"size": theme.SMALL_SIZE, "color": theme.readable(label_at.colour, theme.palette(dark).paper)},
        )
    across: dict[str, object] = {"range": [start - room, end + room], "title": {"text": titles[0]}}
    across |= {"anchor": f"y{axis}", "type": "log" if log else "linear"}
    words = {"tickvals": list(range(len(ticks or ()))), "ticktext": ticks, "ticklabelstandoff": 4}
    across |= words if ticks is not None else {}
    across |= {"dtick": 1, "exponentformat": "power"} if log or whole else {}
    drawing.add_annotation(
        x=0,
        y=1,
        text=theme.escape(_short(titles[1], LONGEST_TITLE)),
        xanchor="left",
        yanchor="bottom",
        yshift=4,
        xref=f"{axes['xaxis']} domain",
        yref=f"{axes['yaxis']} domain",
        showarrow=False,
        font={"size": theme.TICK_SIZE, "color": theme.palette(dark).muted},
    )
    up = {"range": [low, high], "anchor": f"x{axis}", "exponentformat": "e"}
    drawing.update_layout(**{f"xaxis{axis}": across, f"yaxis{axis}": up})
    reach = max((theme.text_width(found.text, theme.SMALL_SIZE) for found in labels), default=0.0)
    return _sentence(label, curves[0]), reach + 8


def _along(
    predicted: DataArray, found: tuple[DataArray | None, DataArray | None], wrong: Mapping[str, DataArray], along: str
) -> list[Curve]:
    """One curve per entry of the other dimension; a number is a level across the panel."""
    rows = [dim for dim in predicted.dims if dim != along]
    count = int(predicted.sizes[rows[0]]) if rows else 1

    def row(values: DataArray, at: int) -> Floats:
        kept = values.transpose(*predicted.dims)
        return np.atleast_1d(_numbers(kept.isel({rows[0]: at}) if rows else kept))

    curves: list[Curve] = []
    for at in range(count):
        measured, error = (None if values is None else row(values, at) for values in found)
        others = {name: row(values, at) for name, values in wrong.items()} if count == 1 else {}
        label = f"{predicted[rows[0]].values[at]}" if rows else ""
        curves.append(Curve(label, _positions(predicted, along), row(predicted, at), measured, error, others))
    return curves


def _against(predicted: DataArray, found: tuple[DataArray | None, DataArray | None]) -> list[Curve]:
    """Measured against predicted, entry by entry; the line is where both agree."""
    expected = _numbers(predicted).ravel()
    order = np.argsort(expected, kind="stable")[:: max(1, len(expected) // MOST_POINTS)]
    measured, error = (None if v is None else _numbers(v.transpose(*predicted.dims)).ravel()[order] for v in found)
    return [Curve("exact agreement", expected[order], expected[order], measured, error, {})]


def _draw(drawing: Drawing, curve: Curve, colour: str, dark: bool, axes: dict[str, str]) -> None:
    level = len(curve.x) == 1
    wide = np.array([-0.5, 0.5]) if level else curve.x

    def line(y: Floats, name: str, style: dict[str, object]) -> None:
        drawing.add_scatter(
            x=wide, y=np.repeat(y, 2) if level else y, mode="lines", line=style, name=name, hovertemplate=hover, **axes
        )

    for name, values in curve.rivals.items():
        hover = f"wrong formula, {theme.escape(name)}: %{{y:.4g}}<extra></extra>"
        line(values, f"rival: {name}", {"width": 1.2, "dash": "dot", "color": theme.VERMILION})
    label = theme.escape(curve.label)
    hover = f"predicted {label}: %{{y:.4g}}<extra></extra>"
    line(curve.predicted, f"predicted {curve.label}".strip(), {"width": 2.2, "color": colour})
    if curve.measured is None:
        return
    there = np.flatnonzero(np.isfinite(curve.measured))  # some claims measure few of the entries that they predict
    shown = there[theme.spaced(list(range(len(there))), theme.MAX_MARKERS // 2)]
    bars: dict[str, object] = {}
    if curve.error is not None and np.any(curve.error > 0):
        bars = {"error_y": {"type": "data", "array": SIGMAS * curve.error[shown], "thickness": 1.2, "width": 0}}
    drawing.add_scatter(
        x=curve.x[shown],
        y=curve.measured[shown],
        mode="markers",
        marker={"size": theme.MARKER_SIZE, "color": colour, "line": {"width": 1, "color": theme.palette(dark).paper}},
        name=f"measured {curve.label}".strip(),
        hovertemplate=f"measured {label}: %{{y:.4g}}<extra></extra>",
        **bars,
        **axes,
    )


def _names(curves: Sequence[Curve], colours: Sequence[str]) -> list[tuple[float, str, str]]:
    """What stands at the ends of lines: each curve's row, "theory" for a single one, and the rivals."""
    ends = [(float(c.predicted[-1]), _short(c.label or "theory"), hue) for c, hue in zip(curves, colours, strict=False)]
    return ends + [(float(v[-1]), _short(f"× {name}"), theme.VERMILION) for c in curves for name, v in c.rivals.items()]


def _short(name: str, longest: int = LONGEST) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1].rstrip()}…"


def _positions(values: DataArray, along: str) -> Floats:
    if not along:
        return np.zeros(1)
    coordinate = values[along].values
    return coordinate.astype(np.float64) if coordinate.dtype.kind in "fiu" else np.arange(len(coordinate), dtype=float)


def _words(values: DataArray, along: str) -> list[str] | None:
    """Tick labels: none of their own for numbers, the words of a categorical dimension, nothing under a level."""
    if not along:
        return []
    coordinate = values[along].values
    return None if coordinate.dtype.kind in "fiu" else [theme.escape(str(word)) for word in coordinate]


def _numbers(values: DataArray) -> Floats:
    return np.asarray(values.values, dtype=np.float64)


def _span(parts: Sequence[Floats | None]) -> tuple[float, float]:
    """A range that shows everything finite, and no difference where there is none but of rounding."""
    values = np.concatenate([part.ravel() for part in parts if part is not None])
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    room = 0.08 * next((size for size in (high - low, abs(high)) if size > ROUNDING), 1.0)
    return low - room, high + room


def _sentence(label: str, curve: Curve) -> str:
    if len(curve.x) > 1 or curve.measured is None:
        low, high = np.nanmin(curve.predicted), np.nanmax(curve.predicted)
        return f"{label[:1].upper()}{label[1:]}: predicted from {low:.4g} to {high:.4g}."
    return f"{label[:1].upper()}{label[1:]}: predicted {curve.predicted[0]:.4g}, measured {curve.measured[0]:.4g}."
