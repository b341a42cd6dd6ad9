"""Imports stay light: what a prediction needs, and no more, is loaded. Checked in fresh processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import networkx
import pytest

import theory
from theory.core import catalog
from theory.core.fingerprint import imports

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ROOMS = catalog.room_ids()
HEAVY = ("torch", "plotly", "marimo", "kaleido", "ipywidgets", "anywidget", "IPython")
SCREENS = (
    "widgets.kit.controls",
    "widgets.kit.panel",
    "widgets.kit.cards",
    "widgets.kit.page",
    "widgets.ccmc.simplex_rows",
    *(f"widgets.{room}.{part}" for room in catalog.room_ids() for part in ("page", "own", "sections", "prose")),
    "widgets.kit.jupyter",
)
"""The only modules of widgets that may know marimo or ipywidgets."""
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("theory", "widgets", "notebooks")
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__main__.py"
)


def loaded(code: str) -> set[str]:
    """Names of the top-level and nested modules that a fresh interpreter holds after running ``code``."""
    program = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_of_theory_loads_nothing_heavy() -> None:
    modules = loaded("import theory")
    assert modules.isdisjoint({*HEAVY, "numpy", "scipy", "xarray", "networkx", "sympy", "numba", "pydantic"})
    assert not any(name.startswith(f"theory.{room}") for name in modules for room in catalog.room_ids())


def test_catalog_loads_no_torch() -> None:
    modules = loaded("import theory\nassert theory.claims() and theory.rooms()")
    assert modules.isdisjoint(HEAVY)


def test_first_prediction_loads_no_torch() -> None:
    modules = loaded('import theory\nassert theory.predict("sharp-logits").data_vars')
    assert modules.isdisjoint(HEAVY)


def test_no_prediction_loads_torch() -> None:
    modules = loaded("import theory\nfor claim in theory.claims():\n    assert theory.predict(claim.id).data_vars")
    assert modules.isdisjoint(HEAVY)


def test_command_line_help_loads_nothing_heavy() -> None:
    modules = loaded("import theory.cli.commands")
    assert modules.isdisjoint(HEAVY)


def test_figures_and_export_load_no_marimo() -> None:
    figures = [name for name in MODULES if name.startswith("widgets.") and not name.startswith(SCREENS)]
    modules = loaded(f"import {', '.join(figures)}")
    assert modules.isdisjoint({"marimo", "torch", "ipywidgets", "plotly.express"})
    assert "plotly.graph_objects" in modules


def test_every_module_can_be_imported() -> None:
    imports = "\n".join(f"importlib.import_module({module!r})" for module in MODULES)
    assert set(MODULES) <= loaded(f"import importlib\n{imports}")


@pytest.mark.parametrize(
    ("goal", "code"),
    [(0.3, "import theory"), (2.5, "import theory\ntheory.predict('sharp-logits')")],
    ids=["import", "first_prediction"],
)
def test_time_in_a_fresh_process_is_told(goal: float, code: str) -> None:
    """Printed, not asserted: a loaded machine is no reason to fail."""
    program = f"from time import perf_counter as now\nt = now()\n{code}\nprint(now() - t)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    print(f"{code.splitlines()[-1]}: {float(done.stdout):.2f} s (goal: at most {goal} s)")


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("package", ["theory", "widgets"])
def test_rooms_do_not_import_each_other(package: str, room: str) -> None:
    """Every room that is there, so that a new one need not be listed anywhere."""
    others = tuple(f"{top}.{name}" for top in ("theory", "widgets") for name in ROOMS if name != room)
    for module in MODULES:
        if module.startswith(f"{package}.{room}"):
            foreign = [
                name for name in imports(module) if name in others or name.startswith(tuple(f"{o}." for o in others))
            ]
            assert not foreign, f"{module} imports {foreign}"


@pytest.mark.parametrize("package", ["core", "shared"])
def test_the_machinery_knows_no_room(package: str) -> None:
    for module in MODULES:
        if module.startswith(f"theory.{package}"):
            assert not [name for name in imports(module) if name.split(".")[:2] in [["theory", room] for room in ROOMS]]


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Also not inside functions: a circle that only works late is one that a reader cannot take apart."""
    known = set(MODULES)
    below = {module: {name for name in imports(module) & known if name != module} for module in MODULES}
    # A package and its own modules are one thing: `from package import module` names both.
    below = {
        m: {n for n in names if not m.startswith(f"{n}.") and not n.startswith(f"{m}.")} for m, names in below.items()
    }
    circles = [
        set(found) for found in networkx.strongly_connected_components(networkx.DiGraph(below)) if len(found) > 1
    ]
    assert not circles


def test_public_functions_are_not_hidden_by_modules() -> None:
    """Importing ``theory.x`` sets the attribute ``x`` of ``theory``: a function of that name would vanish."""
    assert not [name for name in theory.__all__ if (ROOT / "theory" / f"{name}.py").exists()]
