"""A transition matrix as an editor: each row a bar of shares whose borders are dragged or moved with arrow keys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anywidget
import numpy as np
import numpy.typing as npt
import traitlets

STATIC = Path(__file__).parents[1] / "static"


class SimplexRows(anywidget.AnyWidget):
    """Rows of a matrix that each sum to 1.

    ``rows`` is what Python wants shown; ``edited`` is what the visitor made of it, empty while nothing was edited.
    """

    _esm = STATIC / "simplex_rows.js"
    _css = STATIC / "simplex_rows.css"
    rows = traitlets.List().tag(sync=True)
    edited = traitlets.List().tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    colours = traitlets.List(traitlets.Unicode()).tag(sync=True)

    given: tuple[tuple[float, ...], ...] | None = None
    """The matrix that came with the address or a preset; not sent to the browser."""

    def follow(self, matrix: npt.NDArray[np.float64], names: Sequence[str], colours: Sequence[str]) -> None:
        """Show ``matrix`` (K, K); what is already shown is not sent again."""
        for trait, value in (
            ("names", list(names)),
            ("colours", list(colours)),
            ("rows", np.asarray(matrix, dtype=np.float64).tolist()),
        ):
            if getattr(self, trait) != value:
                setattr(self, trait, value)

    @property
    def matrix(self) -> tuple[tuple[float, ...], ...] | None:
        """The matrix that the visitor made, as a parameter's value; None while nothing was edited."""
        return tuple(tuple(float(value) for value in row) for row in self.edited) or None
