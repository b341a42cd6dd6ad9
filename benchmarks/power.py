"""Measure each claim's false-alarm rate and power over many instances: ``python -m benchmarks.power [CLAIM ...]``.

A false alarm is an instance inside the assumptions at which the claim fails. Power is the share of decided instances
that reject a prediction which is off by twice the claim's resolution.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from theory.core import bench, catalog
from theory.core.judge import judge
from theory.core.store import Store
from theory.core.vocabulary import Claim, Rival

INSTANCES = 120
FIRST_DATA_SEED = 500


def measure(claim: Claim, store: Store, instances: int = INSTANCES, **values: object) -> str:
    """One line: instances judged, false alarms, undecided, and rejections of a wrong prediction."""

    def wrong(params: Any, problem: Any) -> Any:
        return claim.mutate(claim.predict(params, problem), 2 * claim.resolution)

    params: Any = catalog.parameters(claim, {"data_seed": FIRST_DATA_SEED, **values})
    by_seed = claim.replication == "seed"
    runs = (
        [bench.check_claim(claim, params.with_values(data_seed=seed), 8, store=store) for seed in range(24)]
        if by_seed
        else [bench.check_claim(replace(claim, rivals=(Rival("w", wrong, {}, ""),)), params, instances, store=store)]
    )
    found = [instance for run in runs for instance in run.instances if instance.raw is not None]
    statuses = [instance.verdict.status for instance in found if instance.verdict is not None]
    rejected = 0
    for instance in found:
        checks = claim.compare(params, instance.problem, wrong(params, instance.problem), instance.raw)
        rejected += judge(checks, instance.assumptions, claim.kind).status == "fails"
    counts = {status: statuses.count(status) for status in ("holds", "fails", "inconclusive", "not_run")}
    return f"{claim.id:22s} {len(found):4d} judged  {counts}  wrong prediction rejected in {rejected}"


def main() -> None:
    """Print the table for the claims named on the command line, or for all."""
    wanted = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for claim in catalog.claims():
            if claim.kind != "observation" and (not wanted or claim.id in wanted):
                print(measure(claim, store), flush=True)


if __name__ == "__main__":
    main()
