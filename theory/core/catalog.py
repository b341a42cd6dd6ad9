"""All rooms and claims, found by id; a room's modules load when it is first used."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any

from theory.core.errors import BenchError, ParameterError
from theory.core.parameters import Parameters, canonical, parse
from theory.core.vocabulary import Claim, Room

ROOMS = ("next_token", "ccmc", "distillation", "icl")


@cache
def room(room_id: str) -> Room:
    """The room with this id.

    Raises:
        BenchError: there is no such room.
    """
    if room_id not in ROOMS:
        raise BenchError(f"room = {room_id} is not known: expected one of {', '.join(ROOMS)}.")
    return import_module(f"theory.{room_id}.claims").ROOM


def rooms() -> tuple[Room, ...]:
    """All rooms that are built, in the order of the gallery."""
    return tuple(room(room_id) for room_id in ROOMS)


def claims() -> tuple[Claim, ...]:
    """All claims of all rooms."""
    return tuple(claim for found in rooms() for claim in found.claims)


def claim(claim_id: str) -> Claim:
    """The claim with this id.

    Raises:
        BenchError: there is no such claim; the message names the nearest ids.
    """
    by_id = {found.id: found for found in claims()}
    if claim_id not in by_id:
        near = get_close_matches(claim_id, by_id, n=3) or sorted(by_id)
        raise BenchError(f"claim = {claim_id} is not known: expected one of {', '.join(near)}.")
    return by_id[claim_id]


def room_of(found: Claim) -> Room:
    """The room that a claim belongs to."""
    return next(candidate for candidate in rooms() if any(found.id == claim.id for claim in candidate.claims))


def parameters(found: Claim, values: Mapping[str, object] | None = None) -> Parameters:
    """The claim's own defaults with ``values`` on top, validated against the room's fixed and dependent bounds.

    Raises:
        ParameterError: names the parameter, the value and the allowed range.
    """
    home = room_of(found)
    merged = canonical(home.Params, found.defaults) | canonical(home.Params, values or {})
    return validated(home, parse(home.Params, merged))


def validated(home: Room, params: Any) -> Any:
    """``params`` if it respects the bounds that depend on other parameters.

    Raises:
        ParameterError: a value leaves the range that the other parameters leave it.
    """
    for name, (low, high) in home.bounds(params).items():
        value = getattr(params, name)
        if value is not None and not low <= value <= high:
            raise ParameterError(name, value, f"a value from {low:g} to {high:g} at the other parameters given")
    return params
