"""Predictions and verdicts as plain documents: what ``--json`` prints, what an export carries, how to reproduce it.

Documents hold only JSON values. Infinities are the words ``"inf"`` and ``"-inf"``, a missing number is ``null``.
"""

from __future__ import annotations

import json
import math
import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

import numpy as np
from xarray import Dataset

from theory.core import catalog
from theory.core.bench import Result
from theory.core.compare import named_alike
from theory.core.parameters import Parameters, Spec
from theory.core.vocabulary import AnyClaim, Assumption, JudgedCheck, Verdict

Document = dict[str, Any]

PACKAGES = ("theorem-bench", "numpy", "scipy", "numba", "networkx", "torch", "xarray")
"""The packages whose versions an exported claim names: they decide the last digits."""

LONGEST_COMMAND = 1500
"""A command with longer arguments reads its parameters from a file: terminals and people both have limits."""


def plain(value: object) -> Any:
    """``value`` as JSON values, without NaN and infinity literals.

    >>> plain(np.array([1.0, np.inf, np.nan])), plain((True, -math.inf))
    ([1.0, 'inf', None], [True, '-inf'])
    """
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(cast(Any, value).tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in cast(Mapping[object, object], value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in cast(Sequence[object], value)]
    return value


def dataset_document(dataset: Dataset) -> Document:
    """Every variable and coordinate with its dimensions, values and units (and the papers' name where it has one)."""
    document: Document = {}
    for name, variable in dataset.variables.items():
        attrs = variable.attrs
        entry = {"dims": [str(dim) for dim in variable.dims], "values": plain(cast(Any, variable).values)}
        entry["units"] = str(attrs.get("units", "1"))
        document[str(name)] = entry | {key: str(attrs[key]) for key in ("long_name", "spec_name") if attrs.get(key)}
    return document


def prediction_document(
    claim: AnyClaim, params: Parameters, assumptions: Sequence[Assumption], prediction: Dataset
) -> Document:
    """What a claim predicts, and whether its assumptions hold on the data."""
    return {
        "claim": claim.id,
        "id": catalog.canonical_id(claim),
        "params": plain(params.model_dump(mode="json")),
        "assumptions": [_assumption(assumption) for assumption in assumptions],
        "prediction": dataset_document(prediction),
    }


def show_document(
    claim: AnyClaim, params: Parameters, assumptions: Sequence[Assumption], specs: Sequence[Spec]
) -> Document:
    """Everything about a claim that needs no experiment; ``specs`` are the parameters that enter it."""
    parameters = [
        {"name": spec.name, "symbol": spec.symbol, "default": plain(params.model_dump(mode="json")[spec.name])}
        | {"allowed": spec.allowed, "description": spec.description}
        | {"spec_names": [*spec.spec_names, *([spec.log10_name] if spec.log10_name else [])]}
        for spec in specs
    ]
    return {
        "claim": claim.id,
        "id": catalog.canonical_id(claim),
        "title": claim.title,
        "kind": claim.kind,
        "statement": claim.statement,
        "latex": claim.latex,
        "source": claim.source,
        "resolution": plain(claim.resolution),
        "power": claim.power,
        "assumptions": [_assumption(assumption) for assumption in assumptions],
        "rivals": [{"name": r.name, "slip": r.slip, "witness": plain(r.witness)} for r in claim.rivals],
        "defaults": plain(claim.defaults),
        "parameters": parameters,
    }


def verdict_document(verdict: Verdict) -> Document:
    """A verdict with all numbers of its checks."""
    return {
        "status": verdict.status,
        "explanation": verdict.explanation,
        "checks": [_check(judged) for judged in verdict.checks],
    }


def check_document(result: Result) -> Document:
    """A prediction with its measurement, its verdict and the verdicts on the wrong formulas."""
    measurement, raw = result.measurement, result.raw
    document = prediction_document(result.claim, result.params, result.assumptions, result.prediction)
    return document | {
        "measurement": None if measurement is None else dataset_document(named_alike(result.prediction, measurement)),
        "raw": None if raw is None else dataset_document(raw),
        "verdict": verdict_document(result.verdict),
        "rivals": {name: verdict_document(verdict) for name, verdict in result.rivals.items()},
        "seeds": result.seeds,
        "device": result.device,
        "data": result.shown.problem.fingerprint,
        "instances": [
            {
                "data": instance.problem.fingerprint,
                "status": "not_run" if instance.verdict is None else instance.verdict.status,
                "explanation": "" if instance.verdict is None else instance.verdict.explanation,
            }
            for instance in result.instances
        ],
        "seconds": round(result.seconds, 3),
        "notes": list(result.notes),
    }


def claim_document(result: Result) -> Document:
    """``claim.json`` of an export: everything needed to say, cite and repeat what was found.

    ``theory check CLAIM --params claim.json`` repeats it, and refuses when the data are not the same.
    """
    paper = catalog.room_of(result.claim).paper
    return {
        "claim": result.claim.id,
        "title": result.claim.title,
        "statement": result.claim.statement,
        "source": result.claim.source,
        "paper": f"{paper.authors}: {paper.title}. {paper.venue} {paper.year}. arXiv:{paper.arxiv}",
        "params": plain(result.params.model_dump(mode="json")),
        "seeds": result.seeds,
        "device": result.device,
        "data": result.shown.problem.fingerprint,
        "assumptions": [_assumption(assumption) for assumption in result.assumptions],
        "verdict": verdict_document(result.verdict),
        "rivals": {name: verdict.status for name, verdict in result.rivals.items()},
        "packages": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
    }


def reproduce_command(result: Result, params_file: str = "claim.json", data_file: str = "data.json") -> str:
    """The shell line that repeats a check and refuses other data.

    Long arrays are read from ``params_file`` (:func:`claim_document`, as JSON); data that the parameters do not
    generate are read from ``data_file``.
    """
    claim, params = result.claim, result.params
    words = ["theory", "check", claim.id]
    usual = catalog.parameters(claim).model_dump(mode="json")
    for name, value in params.model_dump(mode="json").items():
        if value != usual[name]:
            words += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    given = catalog.room_of(claim).draw(params, params.data_seed).fingerprint != result.shown.problem.fingerprint
    if len(shlex.join(words)) > LONGEST_COMMAND:
        words = [*words[:3], "--params", params_file]
    if given:
        words += ["--data", data_file]
    words += ["--seeds", str(result.seeds)]
    if result.device != "cpu":
        words += ["--device", result.device]
    return shlex.join([*words, "--expect-data", result.shown.problem.fingerprint])


def to_json(document: object) -> str:
    """One line of strict JSON in UTF-8."""
    return json.dumps(document, allow_nan=False, ensure_ascii=False)


def _assumption(assumption: Assumption) -> Document:
    return {"name": assumption.name, "holds": bool(assumption.holds), "detail": assumption.detail}


def _check(judged: JudgedCheck) -> Document:
    check = judged.check
    return {
        "name": check.name,
        "deviation": plain(float(check.deviation)),
        "standard_error": plain(float(check.standard_error)),
        "dof": plain(float(check.dof)),
        "replicates": int(check.replicates),
        "allowance": plain([float(end) for end in check.allowance]),
        "resolution": plain(float(check.resolution)),
        "margin": plain([float(end) for end in judged.margin]),
        "status": judged.status,
        "explanation": judged.explanation,
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
