"""The store answers only for the code that made its results: every module that an experiment reaches is in its key."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import theory
from theory.core import catalog, fingerprint, runs
from theory.core.fingerprint import imports, reached, reached_by
from theory.core.keys import result_key
from theory.core.parameters import specs
from theory.core.store import Store
from theory.core.vocabulary import Replicate

pytestmark = pytest.mark.slow

ROOT = Path(theory.__file__).parent
EXPERIMENTS: dict[str, Any] = {claim.experiment.id: claim for claim in catalog.claims() if claim.experiment}
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if path.name != "__main__.py"
)


@pytest.fixture
def fresh() -> Iterator[None]:
    """Sources are read again, as in another process."""
    caches = (fingerprint._fingerprint, fingerprint.reached, fingerprint.imports)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def brief(claim: Any) -> tuple[Any, Replicate[Any]]:
    """A short run of a claim's experiment."""
    few = {spec.name: int(spec.low) for spec in specs(catalog.room_of(claim).Params) if spec.name == "replicates"}
    values = {name: value for name, value in ({"steps": 100} | few).items() if name in claim.experiment.uses}
    params: Any = catalog.parameters(claim, values)
    return params, Replicate(catalog.room_of(claim).draw(params, params.data_seed), 0)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_module_that_an_experiment_runs_is_in_its_key(name: str, tmp_path: Path) -> None:
    experiment = EXPERIMENTS[name].experiment
    params, replicate = brief(EXPERIMENTS[name])
    entered: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            entered.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        runs.fetch(experiment, params, [replicate], store=Store(tmp_path))
    finally:
        sys.setprofile(None)
    ran = {found for found in MODULES if str(fingerprint.source(found)) in entered}
    machinery = {
        "theory.core.runs",
        "theory.core.store",
        "theory.core.keys",
        "theory.core.netcdf",
        "theory.core.catalog",
    }
    missing = ran - reached_by(experiment.run) - machinery - {"theory.core.fingerprint"}
    assert not missing


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_changing_any_reached_module_changes_the_key(name: str, monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
    experiment = EXPERIMENTS[name].experiment
    params, replicate = brief(EXPERIMENTS[name])
    before = result_key(experiment, params, replicate, "cpu")
    modules = sorted(reached_by(experiment.run))
    read = Path.read_bytes
    for module in np.random.default_rng(len(modules)).choice(modules, 4, replace=False):
        changed = fingerprint.source(str(module))
        with monkeypatch.context() as patched:
            patched.setattr(Path, "read_bytes", lambda path, at=changed: read(path) + (b"#" if path == at else b""))
            fingerprint._fingerprint.cache_clear()
            assert result_key(experiment, params, replicate, "cpu") != before, module
    fingerprint._fingerprint.cache_clear()
    assert result_key(experiment, params, replicate, "cpu") == before


def test_the_training_engine_is_in_the_key_of_what_it_trains() -> None:
    experiment = catalog.claim("icl-pgd-equivalence").experiment
    assert experiment is not None
    assert "theory.shared.training.engine" in reached_by(experiment.run)


def test_what_a_function_wraps_or_closed_over_counts() -> None:
    mean_of: Any = import_module("theory.shared.statistics").mean_of  # not by a statement: this module counts too

    def factory(inner: Any) -> Any:
        return lambda: inner()

    for wrapped in (factory(mean_of), partial(max, key=mean_of), factory(partial(factory(mean_of)))):
        assert "theory.shared.statistics" in reached_by(wrapped)
    assert "theory.shared.statistics" not in reached_by(factory(len))


@pytest.mark.parametrize(
    "line",
    ["from .beside import thing", "from package.beside import (\n    thing,  # why\n)", "import package.beside as b"],
)
def test_every_way_to_import_is_followed(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package"
    package.mkdir()
    for module, text in {"__init__": "", "beside": "thing = 1", "start": f"def run():\n    {line.strip()}\n"}.items():
        (package / f"{module}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    for cached in (fingerprint.source, fingerprint.imports, fingerprint.reached):
        cached.cache_clear()
    assert reached(frozenset({"package.start"})) == {"package", "package.start", "package.beside"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_inside_theory_name_the_module_that_defines(module: str) -> None:
    """A package's public name loads lazily, which reading sources cannot follow; nor can it follow a computed name."""
    path = fingerprint.source(module)
    assert path is not None
    text = path.read_text()
    for name in imports(module):
        parent, _, attribute = name.rpartition(".")
        if (
            not name.startswith("theory.")
            or fingerprint.source(name) is not None
            or (ROOT.parent / name.replace(".", "/")).is_dir()
        ):
            continue
        home = fingerprint.source(parent)
        if home is None:
            continue
        stub = home.with_suffix(".pyi")
        lazily = stub.exists() and re.search(rf"\b{attribute} as {attribute}\b", stub.read_text())
        assert not lazily, f"{module} imports {attribute} from the package {parent}, not from its module"
    assert not re.search(r"import_module\(f?[\"\']theory", text) or module == "theory.core.catalog"
