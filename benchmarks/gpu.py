"""The tensor program on CUDA against the same program and the compiled loops on the CPU: ``python -m benchmarks.gpu``.

Prints a Markdown table of seconds per 1000 steps, and the largest difference of the trained logits between devices.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from time import perf_counter

import numpy as np
import torch

from benchmarks.data import zipf_prompts
from theory.next_token.descent import Trajectory, descend
from theory.next_token.generators import ranked_noise
from theory.next_token.prompts import Prompts

CASES: tuple[tuple[str, int], ...] = (
    ("64 models, K=6, n=12", 2000),
    ("4096 models, K=6, n=12", 200),
    ("1 model, K=1000, 10^5 prompts x 32", 50),
    ("1 model, K=5000, 10^6 prompts x 32", 10),
)
ENGINES = (("compiled", "cpu"), ("tensor", "cpu"), ("tensor", "cuda"))


def problems(case: int) -> list[Prompts]:
    """The data of one row of the table."""
    if case < 2:
        return [ranked_noise(6, 12, 4, 0.3, 2, seed=seed) for seed in range((64, 4096)[case])]
    return [zipf_prompts(100_000, 32, 1000) if case == 2 else zipf_prompts(1_000_000, 32, 5000)]


def timed(data: Sequence[Prompts], steps: int, engine: str, device: str) -> tuple[float, list[Trajectory]]:
    """Seconds for ``steps`` steps without the preparation of the data, and the trained models."""
    spent: list[float] = []
    for count in (1, steps + 1):
        started = perf_counter()
        runs = descend(data, count, checkpoints=[count], engine=engine, device=device)
        spent.append(perf_counter() - started)
    return spent[1] - spent[0], runs


def main() -> int:
    if not torch.cuda.is_available():
        print("No CUDA device: nothing to compare.")
        return 0
    print(f"{torch.cuda.get_device_name()}; seconds per 1000 steps, float64\n")
    print("| data | compiled, 1 core | tensor, CPU | tensor, CUDA | CUDA over compiled | largest difference |")
    print("|---|---|---|---|---|---|")
    for case, (name, steps) in enumerate(CASES):
        data = problems(case)
        timed(data, 2, "tensor", "cuda")
        results = [timed(data, steps, engine, device) for engine, device in ENGINES]
        compiled, tensor, cuda = (1000 * spent / steps for spent, _ in results)
        pairs = zip(results[0][1], results[2][1], strict=True)
        difference = max(float(np.abs(one.values - other.values).max()) for one, other in pairs)
        row = (f"{compiled:.3g}", f"{tensor:.3g}", f"{cuda:.3g}", f"{compiled / cuda:.3g}", f"{difference:.1e}")
        print(f"| {name} | {' | '.join(row)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
