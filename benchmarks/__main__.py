"""Run all benchmarks on one core: ``python -m benchmarks [name ...]``; exit 1 if a required ratio is missed."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

BENCHMARKS = tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if "\ndef run(" in path.read_text()))
"""Every module of this folder that has a function ``run``."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        print(f"{', '.join(unknown)}: unknown; choose from {', '.join(BENCHMARKS)}")
        return 2
    # Before numpy and torch load: every number below is for one core.
    os.environ |= dict.fromkeys(THREAD_VARIABLES, "1")
    passed = True
    for name in names or BENCHMARKS:
        for line in import_module(f"benchmarks.{name}").run():
            print(line, flush=True)
            passed &= line.passes
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
