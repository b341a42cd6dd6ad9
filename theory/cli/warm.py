"""Compile every numerical kernel once, so that nobody waits for a compiler: ``python -m theory.cli.warm``."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from theory.core import bench, catalog
from theory.core.store import Store

STEPS = 100
"""Kernels compile on the types of their arguments, so a short run compiles what a long one needs."""


def warm() -> None:
    """Predict and measure every claim once, briefly, with a store that is thrown away."""
    with TemporaryDirectory() as folder:
        for claim in catalog.claims():
            brief = {"steps": STEPS} if "steps" in claim.reads else {}
            params = catalog.parameters(claim, brief)
            bench.check_claim(claim, params, seeds=1, store=Store(Path(folder)), rivals=False)


def main() -> int:
    """Warm up and say how long it took."""
    started = perf_counter()
    warm()
    sys.stdout.write(f"Compiled in {perf_counter() - started:.1f} s.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
