"""The tensor program on CUDA against the same program and the compiled loops on the CPU: ``python -m benchmarks.gpu``.

Prints a Markdown table of seconds per 1000 steps, and the largest difference of the trained logits between devices.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
import torch

from benchmarks.data import zipf_prompts
from theory.next_token.generators import ranked_noise
from theory.next_token.problem import Prompts
from theory.next_token.simulation.descent_compiled import CompiledDescent
from theory.next_token.simulation.descent_tensor import TensorDescent
from theory.next_token.simulation.rows import Layout, build_layout
from theory.shared.training.engine import Program

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


def timed(layouts: Sequence[Layout], steps: int, engine: str, device: str) -> tuple[float, list[np.ndarray[Any, Any]]]:
    """Seconds for ``steps`` steps without the preparation of the data, and the logits of each trained model."""
    etas, checkpoints = [1.0 / layout.curvature for layout in layouts], np.array([steps + 1])
    if engine == "tensor":
        batch = TensorDescent(layouts, etas, "log", False, checkpoints, [None] * len(layouts), device)
        spent = _seconds([batch], steps)
        return spent, [batch.trajectory(model)[1] for model in range(len(layouts))]
    programs = [
        CompiledDescent(layout, eta, "log", False, checkpoints, None) for layout, eta in zip(layouts, etas, strict=True)
    ]
    return _seconds(programs, steps), [program.values for program in programs]


def _seconds(programs: Sequence[Program], steps: int) -> float:
    for program in programs:
        program.advance(1)
    started = perf_counter()
    for program in programs:
        program.advance(steps + 1)
    return perf_counter() - started


def main() -> int:
    if not torch.cuda.is_available():
        print("No CUDA device: nothing to compare.")
        return 0
    print(f"{torch.cuda.get_device_name()}; seconds per 1000 steps, float64\n")
    print("| data | compiled, 1 core | tensor, CPU | tensor, CUDA | CUDA over compiled | largest difference |")
    print("|---|---|---|---|---|---|")
    for case, (name, steps) in enumerate(CASES):
        data = [build_layout(prompts) for prompts in problems(case)]
        timed(data, 2, "tensor", "cuda")
        results = [timed(data, steps, engine, device) for engine, device in ENGINES]
        compiled, tensor, cuda = (1000 * spent / steps for spent, _ in results)
        pairs = zip(results[0][1], results[2][1], strict=True)
        difference = max(float(np.abs(one - other).max()) for one, other in pairs)
        row = (f"{compiled:.3g}", f"{tensor:.3g}", f"{cuda:.3g}", f"{compiled / cuda:.3g}", f"{difference:.1e}")
        print(f"| {name} | {' | '.join(row)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
