"""All rooms and claims, found by id; a room's modules load when it is first used.

A room is a package below ``theory`` whose ``claims`` list a ``ROOM``, or whatever another installed package names in
the entry point group ``theorem_bench.rooms`` (``my_room = "my_package.claims:ROOM"``).
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from theory.core.errors import BenchError, ParameterError
from theory.core.fingerprint import source
from theory.core.parameters import Parameters, canonical, parse
from theory.core.vocabulary import AnyClaim, AnyRoom

GROUP = "theorem_bench.rooms"
FIRST = ("next_token", "ccmc", "distillation", "icl")
"""The rooms that lead the gallery; others follow by name."""


@cache
def room_ids() -> tuple[str, ...]:
    """Ids of all rooms, this project's and those of other installed packages, in the order of the gallery."""
    here = Path(__file__).parents[1]
    own = {path.parent.parent.name for path in here.glob("*/claims/__init__.py")}
    found = own | {point.name for point in entry_points(group=GROUP)}
    return tuple(sorted(found, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name)))


@cache
def room(room_id: str) -> AnyRoom:
    """The room with this id.

    Raises:
        BenchError: there is no such room.
    """
    if room_id not in room_ids():
        raise BenchError(f"room = {room_id} is not known: expected one of {', '.join(room_ids())}.")
    for point in entry_points(group=GROUP):
        if point.name == room_id:
            return point.load()
    return import_module(f"theory.{room_id}.claims").ROOM


def home(room_id: str) -> Path | None:
    """The folder of another package's room; None for a room of this project."""
    for point in entry_points(group=GROUP):
        if point.name == room_id and (path := source(point.module)) is not None:
            return path.parent
    return None


def rooms() -> tuple[AnyRoom, ...]:
    """All rooms, in the order of the gallery."""
    return tuple(room(room_id) for room_id in room_ids())


def claims(room_id: str | None = None) -> tuple[AnyClaim, ...]:
    """All claims, or those of one room.

    Raises:
        BenchError: there is no such room.
    """
    chosen = rooms() if room_id is None else (room(room_id),)
    return tuple(claim for found in chosen for claim in found.claims)


def claim(claim_id: str) -> AnyClaim:
    """The claim with this id: ``room/claim``, or ``claim`` alone while no other room has one of that name.

    Raises:
        BenchError: there is no such claim, or several; the message names the nearest ids.
    """
    room_id, slash, short = claim_id.partition("/")
    if slash and room_id in room_ids():
        known = {name: [found] for found in room(room_id).claims for name in _short_names(room_id, found)}
    else:
        short, known = claim_id, _by_short_name()
    found = known.get(short, [])
    if len(found) == 1:
        return found[0]
    if found:
        raise BenchError(f"claim = {claim_id} is not unique: expected {' or '.join(map(canonical_id, found))}.")
    near = get_close_matches(short, known, n=3) or sorted(known)
    near = [f"{room_id}/{name}" for name in near] if slash and room_id in room_ids() else near
    raise BenchError(f"claim = {claim_id} is not known: expected one of {', '.join(near)}.")


def canonical_id(found: AnyClaim) -> str:
    """``room/claim``, which is unique; the room's name as a prefix of the claim's is left out.

    >>> canonical_id(claim("icl-pgd-equivalence"))
    'icl/pgd-equivalence'
    """
    home = room_of(found).id
    return f"{home}/{found.id.removeprefix(f'{home}-')}"


def room_of(found: AnyClaim) -> AnyRoom:
    """The room that a claim belongs to."""
    homes = [candidate for candidate in rooms() if any(found.id == claim.id for claim in candidate.claims)]
    return homes[0] if len(homes) == 1 else next(home for home in homes if found in home.claims)


def parameters(found: AnyClaim, values: Mapping[str, object] | None = None) -> Parameters:
    """The claim's own defaults with ``values`` on top, validated against the room's fixed and dependent bounds.

    Raises:
        ParameterError: names the parameter, the value and the allowed range.
    """
    home = room_of(found)
    merged = canonical(home.Params, found.defaults) | canonical(home.Params, values or {})
    return validated(home, parse(home.Params, merged))


def validated(home: AnyRoom, params: Any) -> Any:
    """``params`` if it respects the bounds that depend on other parameters.

    Raises:
        ParameterError: a value leaves the range that the other parameters leave it.
    """
    for name, (low, high) in home.bounds(params).items():
        value = getattr(params, name)
        if value is not None and not low <= value <= high:
            raise ParameterError(name, value, f"a value from {low:g} to {high:g} at the other parameters given")
    return params


def _short_names(room_id: str, found: AnyClaim) -> tuple[str, ...]:
    return tuple(dict.fromkeys((found.id, found.id.removeprefix(f"{room_id}-"), f"{room_id}-{found.id}")))


def _by_short_name() -> dict[str, list[AnyClaim]]:
    known: dict[str, list[AnyClaim]] = {}
    for home in rooms():
        for found in home.claims:
            for name in _short_names(home.id, found):
                known.setdefault(name, []).append(found)
    return known
