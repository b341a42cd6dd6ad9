"""Public names that load when they are first used, so that importing a package stays light."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import lazy_loader  # pyright: ignore[reportMissingTypeStubs]

Attached = tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]


def attach(package: str, file: str) -> Attached:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package, from the names that its ``__init__.pyi`` imports.

    Args: the package's ``__name__`` and ``__file__``. Editors and type checkers read the same stub.
    """
    return cast(Attached, lazy_loader.attach_stub(package, file))
