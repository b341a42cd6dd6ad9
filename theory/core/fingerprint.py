"""The code that a result depends on: the sources of all modules that a function reaches by imports."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

_FROM = re.compile(r"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n]*)", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+(\w[\w., \t]*)", re.MULTILINE)
_NAME = re.compile(r"(\w+)(?:[ \t]+as[ \t]+\w+)?")


def code_fingerprint(function: Callable[..., Any]) -> str:
    """SHA-256 of every source that ``function`` reaches inside ``theory`` (and its own package, if it is another).

    Imports anywhere in a module count, also those inside functions. What a factory closed over counts too.
    """
    return _fingerprint(reached_by(function))


def reached_by(function: Callable[..., Any]) -> frozenset[str]:
    """Names of the modules whose sources :func:`code_fingerprint` reads."""
    return reached(frozenset(_homes(function)))


@cache
def reached(start: frozenset[str]) -> frozenset[str]:
    """Names of the modules that the modules ``start`` import, directly or not, themselves included."""
    roots = {name.partition(".")[0] for name in start} | {"theory"}
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name in found or name.partition(".")[0] not in roots or source(name) is None:
            continue
        found.add(name)
        waiting += imports(name)
        if "." in name:
            waiting.append(name.rpartition(".")[0])  # importing a module runs its packages first
    return frozenset(found)


@cache
def imports(name: str) -> frozenset[str]:
    """Names of what the module ``name`` imports: modules, and names that may be modules of a package."""
    path = source(name)
    text = path.read_text(encoding="utf-8") if path else ""
    package = name if path and path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for dots, module, names in _FROM.findall(text):
        if dots:
            above = package.split(".")
            base = ".".join(above[: len(above) - len(dots) + 1])
            module = f"{base}.{module}" if module else base
        lines = [line.partition("#")[0] for line in names.strip("()").splitlines()]
        found |= {module, *(f"{module}.{item}" for item in _NAME.findall(" ".join(lines)))}
    for names in _IMPORT.findall(text):
        found |= set(_NAME.findall(names)) if "." not in names else {part.split()[0] for part in names.split(",")}
    return frozenset(found)


@cache
def source(name: str) -> Path | None:
    """The file of a module, or None when there is no such module (or not as a file)."""
    try:
        found = find_spec(name)
    except (ModuleNotFoundError, ValueError):
        return None
    return Path(found.origin) if found is not None and found.origin and found.origin.endswith(".py") else None


@cache
def _fingerprint(modules: frozenset[str]) -> str:
    digest = hashlib.sha256()
    for name in sorted(modules):
        path = source(name)
        assert path is not None
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _homes(function: Any, seen: frozenset[int] = frozenset()) -> Iterator[str]:
    """Modules of a function, and of the functions that it wraps, was applied to, or closed over."""
    if id(function) in seen or not callable(function):
        return
    seen |= {id(function)}
    if isinstance(function, partial):
        applied = cast("partial[Any]", function)
        for inner in (applied.func, *applied.args, *applied.keywords.values()):
            yield from _homes(inner, seen)
        return
    if module := getattr(function, "__module__", None):
        yield str(module)
    for cell in getattr(function, "__closure__", None) or ():
        yield from _homes(cell.cell_contents, seen)
