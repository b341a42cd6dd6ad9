"""JupyterLab's notebooks: committed as their script writes them, executed, and still running."""

from __future__ import annotations

import nbformat
import pytest

from notebooks._app import lab
from theory.core import catalog
from theory.core.parameters import specs
from widgets.kit import jupyter

pytestmark = pytest.mark.slow

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"


def kinds(notebook: nbformat.NotebookNode) -> list[str]:
    """The kinds of output of all cells, in order."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type in ("error", "stream")]
    return [kind for output in outputs for kind in output.data if kind in (PLOTLY, WIDGET)]


@pytest.mark.parametrize("room", catalog.room_ids())
def test_committed_notebook_is_what_the_script_writes(room: str) -> None:
    committed, built = nbformat.read(lab.target(room), as_version=4), lab.build(room)
    nbformat.validate(committed)
    assert [cell.source for cell in committed.cells] == [cell.source for cell in built.cells]
    assert {PLOTLY, WIDGET} <= set(kinds(committed))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("room", catalog.room_ids())
def test_notebook_runs_in_a_fresh_kernel(room: str) -> None:
    executed = lab.execute(lab.build(room))
    assert {PLOTLY, WIDGET} <= set(kinds(executed))


def test_widgets_come_from_the_parameter_model() -> None:
    room = catalog.room("next_token")
    widgets = jupyter.sliders(room)
    described = {spec.name: spec for spec in specs(room.Params) if spec.kind != "array"}
    assert set(widgets) == set(described)
    for name, widget in widgets.items():
        assert widget.value == described[name].default
        assert described[name].label in widget.description
    assert (widgets["vocab_size"].min, widgets["vocab_size"].max) == (3, 40)
    params, notes = jupyter.settle(room, widgets)
    assert params == room.Params()
    assert not notes


def test_figure_follows_the_sliders() -> None:
    room = catalog.room("next_token")
    seen: list[int] = []

    def build(params: object, problem: object) -> object:
        from theory.next_token import views
        from theory.next_token.structure import solve
        from widgets.next_token import figures as next_token

        seen.append(params.vocab_size)
        solution, last = solve(problem), int(problem.last[0])
        return next_token.talk_picture(views.anatomy(solution, last), views.curves(solution, last))

    box = jupyter.explore(room, build, names=("vocab_size", "n_last"))
    column, place = box.children
    before = place.outputs
    column.children[0].value = 9
    assert seen == [6, 9]
    assert place.outputs != before


def test_bounds_between_parameters_are_kept_and_said() -> None:
    room = catalog.room("next_token")
    widgets = jupyter.sliders(room, ("vocab_size", "n_last"), {"vocab_size": 4, "n_last": 9})
    params, notes = jupyter.settle(room, widgets)
    assert params.n_last == 4
    assert notes
