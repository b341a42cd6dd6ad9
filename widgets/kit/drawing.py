"""A figure in the making."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import plotly.graph_objects as go
from plotly.io import templates

from widgets.kit.theme import MARGIN, PANEL_HEIGHT, stack, template


@dataclass
class Drawing:
    """A figure in the making, as plain dicts: Plotly checks them once, at the end, not at every addition."""

    traces: list[dict[str, object]] = field(default_factory=list)
    annotations: list[dict[str, object]] = field(default_factory=list)
    shapes: list[dict[str, object]] = field(default_factory=list)
    layout: dict[str, object] = field(default_factory=dict)

    def add_scatter(self, **trace: object) -> None:
        self.traces.append({"type": "scatter", **trace})

    def add_annotation(self, **annotation: object) -> None:
        self.annotations.append(annotation)

    def add_shape(self, **shape: object) -> None:
        self.shapes.append(shape)

    def update_layout(self, **layout: object) -> None:
        """Set parts of the layout; an axis keeps what was set before."""
        for name, value in layout.items():
            old = self.layout.get(name)
            self.layout[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value

    def onto(self, fig: go.Figure) -> None:
        """Put annotations and shapes on ``fig``, above what is there."""
        fig.layout.annotations = [*fig.layout.annotations, *self.annotations]
        fig.layout.shapes = [*fig.layout.shapes, *self.shapes]

    def figure(self, alt: str, dark: bool, revision: str, stacked: bool = False, live: bool = False) -> go.Figure:
        """The figure with the common last touches of every builder (see :func:`widgets.kit.theme.finish`).

        ``live``: it follows a slider, and the page draws it with its own fast element (see :mod:`widgets.kit.live`).
        """
        margin = {**MARGIN, **cast("dict[str, float]", self.layout.get("margin", {}))}
        layout = {
            "height": PANEL_HEIGHT + margin["t"] + margin["b"],
            **self.layout,
            "margin": margin,
            "annotations": self.annotations,
            "shapes": self.shapes,
            "template": templates[template(dark)],
            "uirevision": revision,
            "meta": {"alt": alt, "live": live},
        }
        # Checking every property takes ten times as long as the rest of a slider move; tests check all builders.
        fig = go.Figure({"data": self.traces, "layout": layout}, _validate=False)
        return stack(fig) if stacked else fig
