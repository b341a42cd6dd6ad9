"""What the store knows a raw result by: everything that it depends on, the code that made it included."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from theory.core.vocabulary import Experiment, Replicate


def result_key(experiment: Experiment, params: Any, replicate: Replicate, device: str) -> str:
    """SHA-256 of the parameters that ``experiment`` uses, the problem, the seed, the device and the code."""
    parts = {
        "experiment": experiment.id,
        "params": {name: getattr(params, name) for name in sorted(experiment.uses)},
        "problem": replicate.problem.fingerprint,
        "seed": replicate.seed,
        "dtype": "float64",
        "device": device.split(":")[0],
    }
    return content_key(parts, experiment.modules)


def content_key(parts: Mapping[str, object], modules: tuple[str, ...]) -> str:
    """SHA-256 of ``parts``, everything that a result depends on, and of the source of ``modules``."""
    whole = {**parts, "code": code_fingerprint(modules)}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()


@cache
def code_fingerprint(modules: tuple[str, ...]) -> str:
    """SHA-256 of the source of ``modules``: a changed experiment never answers from old results."""
    digest = hashlib.sha256()
    for name in sorted(modules):
        found = find_spec(name)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(f"experiment module {name} does not exist")
        digest.update(Path(found.origin).read_bytes())
    return digest.hexdigest()
