"""10^6 prompts of 32 tokens, K = 5000, from the data to the automaton's components, in a process of its own."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from time import perf_counter

from benchmarks.data import zipf_prompts
from benchmarks.harness import Line, readable
from theory.next_token.components import connected_pairs

N, LENGTH, VOCAB_SIZE = 1_000_000, 32, 5000
LIMIT = 2e9


def run() -> Iterator[Line]:
    done = subprocess.run([sys.executable, "-m", "benchmarks.memory"], capture_output=True, text=True, check=True)
    spent, peak = (float(word) for word in done.stdout.split())
    name = f"{N:,} prompts x {LENGTH}, K={VOCAB_SIZE}, end to end"
    text = f"limit {LIMIT / 1e9:g} GB; peak {peak / 1e9:.2f} GB in a process of its own, data included"
    yield Line(name, readable(spent), text, LIMIT / peak, 1)


def main() -> None:
    """Print the seconds for validation and components, and the peak memory in bytes."""
    prompts = zipf_prompts(N, LENGTH, VOCAB_SIZE)
    started = perf_counter()
    connected_pairs(prompts)
    spent = perf_counter() - started
    # Linux counts in KiB, macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(spent, peak)


if __name__ == "__main__":
    main()
