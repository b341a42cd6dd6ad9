"""One list of dependencies: the lock file, environment.yml and the wheel all follow pyproject.toml."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {"torch": "pytorch", "kaleido": "python-kaleido"}
PACKAGES = ("theory", "widgets", "notebooks")
SOURCES = {
    ".py",
    ".pyi",
    ".tmpl",
    ".npz",
    ".css",
    ".js",
    ".html",
    ".ipynb",
    ".json",
    ".svg",
    ".png",
    ".woff2",
    ".typed",
}


EXTRAS = PROJECT["optional-dependencies"]
FOR_LAB = ("widgets/kit/jupyter.py", "notebooks/_app/lab")
"""What only `make lab` runs may import what only the extra `lab` installs."""


def direct() -> list[Requirement]:
    lines = (*PROJECT["dependencies"], *EXTRAS["lab"], *EXTRAS["dev"])
    return [Requirement(line) for line in lines if not line.startswith(PROJECT["name"])]


def locked() -> dict[str, Version]:
    lines = [Requirement(line) for line in (ROOT / "requirements.lock").read_text().splitlines()]
    pins = {canonicalize_name(line.name): next(iter(line.specifier)) for line in lines}
    assert all(pin.operator == "==" for pin in pins.values())
    return {name: Version(pin.version) for name, pin in pins.items()}


def needed() -> set[str]:
    """Names of everything that the direct requirements bring on this machine, themselves included."""
    waiting, seen = direct(), set[tuple[str, frozenset[str]]]()
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        for line in distribution(requirement.name).requires or ():
            found = Requirement(line)
            if found.marker is None or any(found.marker.evaluate({"extra": e}) for e in {"", *requirement.extras}):
                waiting.append(found)
    return {name for name, _ in seen}


def test_lock_satisfies_every_requirement() -> None:
    pins = locked()
    for requirement in direct():
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_lock_holds_no_local_builds() -> None:
    """The choice between CPU and CUDA builds of torch is the machine's, not the lock's."""
    assert all(version.local is None for version in locked().values())
    assert not any(name.startswith(("nvidia-", "cuda-", "triton")) for name in locked())


def test_lock_pins_exactly_what_is_needed() -> None:
    """On Linux with Python 3.11, where the lock is made; elsewhere other markers bring a few other packages."""
    cuda = {name for name in needed() if name.startswith(("nvidia-", "cuda-", "triton"))}
    difference = set(locked()) ^ (needed() - cuda)
    assert not difference or sys.version_info[:2] != (3, 11) or sys.platform != "linux", difference


def test_environment_file_equals_pyproject() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert listed["channels"] == ["conda-forge"]
    plain = [entry for entry in listed["dependencies"] if isinstance(entry, str)]
    assert {"pip": ["-e ."]} in listed["dependencies"]
    assert plain[:2] == ["python=3.11", "pip"]
    expected = {}
    for line in (*PROJECT["dependencies"], *EXTRAS["lab"]):
        requirement = Requirement(line)
        expected[CONDA_NAMES.get(requirement.name, requirement.name)] = requirement.specifier
    conda = [Requirement(entry.replace("=", "==") if _exact(entry) else entry) for entry in plain[2:]]
    assert {entry.name: entry.specifier for entry in conda} == expected


def _exact(entry: str) -> bool:
    """conda writes ``name=version`` where pip writes ``name==version``."""
    return "=" in entry and not any(sign in entry for sign in ("<", ">", "==", "!"))


def test_every_import_is_declared() -> None:
    """What the three packages import is a dependency of the project itself, not luck or a tool of its developers."""
    always, lab = (
        {canonicalize_name(Requirement(line).name) for line in lines}
        for lines in (PROJECT["dependencies"], EXTRAS["lab"])
    )
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        found = {name.split(".")[0] for name in _imports(path)} - set(sys.stdlib_module_names) - set(PACKAGES)
        for_lab = str(path.relative_to(ROOT)).startswith(FOR_LAB)
        assert {canonicalize_name(name) for name in found} <= (always | lab if for_lab else always), path


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_supported_pythons() -> None:
    supported = SpecifierSet(PROJECT["requires-python"])
    assert [minor for minor in range(9, 17) if Version(f"3.{minor}") in supported] == [11, 12, 13]


@pytest.mark.slow
def test_wheel_holds_the_three_packages_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.nbi", "*.nbc", "__marimo__", ".ipynb_checkpoints")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*build, tmp_path, source], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    top = {name.split("/")[0] for name in inside}
    assert {name for name in top if not name.endswith(".dist-info")} == set(PACKAGES)
    files = (path for package in PACKAGES for path in (source / package).rglob("*") if path.suffix in SOURCES)
    assert {str(path.relative_to(source)) for path in files} <= inside


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_project_file_has_content(name: str) -> None:
    assert len((ROOT / name).read_text()) > 200


def test_citation_file_matches_the_project() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["references"][0]["identifiers"][0]["value"] == "2403.08081"
