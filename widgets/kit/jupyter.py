"""The bench in JupyterLab: the same parameter model as sliders, the same figures, the same verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets
import plotly.io as pio

from theory.core import catalog
from theory.core.bench import Result, check_claim
from theory.core.errors import BenchError
from theory.core.parameters import Spec, clamp, ladder, specs
from theory.core.problem import Problem
from theory.core.vocabulary import Room
from widgets.kit import theme

if TYPE_CHECKING:
    import plotly.graph_objects as go

Build = Callable[[Any, Problem], "go.Figure"]
"""From parameters and the problem that they draw to a figure."""


def use() -> None:
    """Show figures through JupyterLab's own Plotly renderer, which needs no network."""
    pio.renderers.default = "plotly_mimetype"


def sliders(room: Room, names: Sequence[str] = (), values: Mapping[str, object] | None = None) -> dict[str, Any]:
    """One widget per parameter of the room (or per name in ``names``), with its range, step and description.

    Arrays have no widget. ``values`` replaces defaults; a logarithmic parameter becomes a ladder of its steps.
    """
    params, _ = clamp(room.Params, dict(values or {}))
    chosen = [spec for spec in specs(room.Params) if spec.kind != "array" and (not names or spec.name in names)]
    return {spec.name: _widget(spec, getattr(params, spec.name)) for spec in chosen}


def settle(
    room: Room, widgets: Mapping[str, Any], fixed: Mapping[str, object] | None = None
) -> tuple[Any, tuple[str, ...]]:
    """The parameters that the widgets show, inside the bounds that they leave each other, and what had to give way."""
    params, notes = clamp(room.Params, dict(fixed or {}) | {name: widget.value for name, widget in widgets.items()})
    params, more = clamp(room.Params, params.model_dump(), room.bounds(params))
    return params, (*notes, *more)


def explore(room: Room, build: Build, names: Sequence[str] = (), values: Mapping[str, object] | None = None) -> Any:
    """Sliders beside the figure that ``build`` makes of them; the figure follows every move."""
    widgets = sliders(room, names, values)
    said, place = ipywidgets.HTML(), ipywidgets.Output()

    def redraw(change: object = None) -> None:
        params, notes = settle(room, widgets, values)
        try:
            figure = build(params, room.draw(params, params.data_seed))
        except BenchError as error:
            said.value = escape(str(error))
            return
        said.value = "<br>".join(escape(note) for note in notes)
        place.outputs = (
            {
                "output_type": "display_data",
                "data": {
                    "application/vnd.plotly.v1+json": figure.to_plotly_json() | {"config": {"displaylogo": False}},
                    "text/plain": theme.figure_text(figure),
                },
                "metadata": {},
            },
        )

    for widget in widgets.values():
        widget.observe(redraw, names="value")
    redraw()
    column = ipywidgets.VBox([*widgets.values(), said], layout={"flex": "0 1 22rem"})
    place.layout.flex = "1 1 28rem"
    return ipywidgets.HBox([column, place], layout={"flex_flow": "row wrap"})


def measure(claim_id: str, seeds: int = 8, **values: object) -> Result:
    """Check a claim with a progress bar; the bar goes when the result is there."""
    claim = catalog.claim(claim_id)
    from IPython.display import display

    bar = ipywidgets.FloatProgress(min=0, max=1, description="training", layout={"width": "22rem"})
    display(bar)

    def emit(fraction: float, partial: object) -> None:
        bar.value = fraction

    try:
        return check_claim(claim, catalog.parameters(claim, values), seeds, emit=emit)
    finally:
        bar.close()


def verdict(result: Result) -> Any:
    """The verdict in words: status, reason, and what each wrong formula got."""
    rivals = "".join(
        f"<li>{escape(name)}: {escape(found.status.replace('_', ' '))}</li>" for name, found in result.rivals.items()
    )
    return ipywidgets.HTML(
        f"<b>{escape(result.verdict.status.replace('_', ' ').capitalize())}.</b> {escape(result.verdict.explanation)}"
        f"<br>{result.seconds:.1f} s. Wrong formulas on the same data:<ul>{rivals}</ul>"
    )


def _widget(spec: Spec, value: Any) -> Any:
    common = {
        "description": f"{spec.label} {spec.symbol}",
        "tooltip": spec.description,
        "style": {"description_width": "9.5rem"},
        "layout": {"width": "100%"},
    }
    if spec.kind == "choice":
        return ipywidgets.Dropdown(options=spec.choices, value=value, **common)
    integer = spec.kind == "integer"
    if spec.default is None:
        rungs = [(f"{rung:,}", rung) for rung in ladder(spec, value)]
        return ipywidgets.Dropdown(options=[("not set", None), *rungs], value=value, **common)
    if spec.scale == "log10":
        options = [(f"{rung:,}" if integer else f"{rung:g}", rung) for rung in ladder(spec, value)]
        return ipywidgets.SelectionSlider(options=options, value=value, continuous_update=False, **common)
    kind = ipywidgets.IntSlider if integer else ipywidgets.FloatSlider
    cast = int if integer else float
    return kind(value=value, min=cast(spec.low), max=cast(spec.high), step=cast(spec.step), **common)
