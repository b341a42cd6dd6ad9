"""One place that says how this project compiles its inner loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile to machine code at the first call, kept on disk, without the interpreter lock while it runs."""
    return cast(Callable[Arguments, Result], numba.njit(cache=True, nogil=True)(function))


def inlined(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Copied into each compiled caller: for a few lines of an inner loop, where a call costs as much as the work."""
    return cast(Callable[Arguments, Result], numba.njit(cache=True, nogil=True, inline="always")(function))
