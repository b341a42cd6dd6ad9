"""What the store knows a raw result by: everything that it depends on, the code that made it included."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from theory.core.fingerprint import code_fingerprint
from theory.core.vocabulary import Experiment, Replicate


def result_key(experiment: Experiment[Any, Any], params: Any, replicate: Replicate[Any], device: str) -> str:
    """SHA-256 of the parameters that ``experiment`` uses, the problem, the seed, the device and the code."""
    parts = {
        "experiment": experiment.id,
        "params": {name: getattr(params, name) for name in sorted(experiment.uses)},
        "problem": replicate.problem.fingerprint,
        "seed": replicate.seed,
        "dtype": "float64",
        "device": device.split(":")[0],
    }
    return content_key(parts, experiment.run)


def content_key(parts: Mapping[str, object], made_by: Callable[..., Any]) -> str:
    """SHA-256 of ``parts``, everything that a result depends on, and of the code that ``made_by`` reaches."""
    whole = {**parts, "code": code_fingerprint(made_by)}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()
