"""The parameter model: the one place where a parameter is described.

A room subclasses :class:`Parameters` and declares each field with :func:`number`, :func:`choice` or :func:`array`.
Sliders, URL state, command-line options, validation and property tests are all read off :func:`specs`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from theory.core.errors import BenchError, ParameterError

Scale = Literal["linear", "log10"]
P = TypeVar("P", bound="Parameters")


@dataclass(frozen=True)
class Spec:
    """How one parameter is shown, bounded and named.

    ``step`` is in units of the slider: of log10 when ``scale`` is ``"log10"``. ``spec_names`` are the identifiers that
    papers use; each is accepted as input. ``log10_name`` accepts the base-10 logarithm of the value.
    """

    name: str
    kind: Literal["integer", "number", "choice", "array"]
    default: Any
    symbol: str
    label: str
    description: str
    low: float = -math.inf
    high: float = math.inf
    step: float = 1.0
    scale: Scale = "linear"
    choices: tuple[str, ...] = ()
    spec_names: tuple[str, ...] = ()
    log10_name: str = ""

    @property
    def allowed(self) -> str:
        """The allowed values in words, for error messages and help texts."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "array":
            return self.description
        noun = "a whole number" if self.kind == "integer" else "a number"
        return f"{noun} from {_plain(self.low)} to {_plain(self.high)}"


def number(
    default: float | None,
    low: float,
    high: float,
    *,
    symbol: str,
    label: str,
    description: str,
    step: float = 1.0,
    scale: Scale = "linear",
    spec_names: tuple[str, ...] = (),
    log10_name: str = "",
) -> Any:
    """A bounded number; the annotation of the field (``int`` or ``float``) decides which."""
    extra: dict[str, Any] = {
        "symbol": symbol,
        "label": label,
        "step": step,
        "scale": scale,
        "spec_names": list(spec_names),
    }
    extra |= {"log10_name": log10_name, "low": low, "high": high}
    return Field(default, ge=low, le=high, description=description, json_schema_extra=extra)


def choice(
    default: str,
    choices: tuple[str, ...],
    *,
    symbol: str,
    label: str,
    description: str,
    spec_names: tuple[str, ...] = (),
) -> Any:
    """One of a few words; annotate the field with the matching ``Literal``."""
    extra: dict[str, Any] = {"symbol": symbol, "label": label, "choices": list(choices), "spec_names": list(spec_names)}
    return Field(default, description=description, json_schema_extra=extra)


def array(*, symbol: str, label: str, description: str, spec_names: tuple[str, ...] = ()) -> Any:
    """An optional array given by JSON or upload instead of a generator; ``None`` means generated."""
    extra: dict[str, Any] = {"symbol": symbol, "label": label, "array": True, "spec_names": list(spec_names)}
    return Field(None, description=description, json_schema_extra=extra)


class Parameters(BaseModel):
    """Base of every room's parameter model: frozen, finite, and closed to unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)

    def with_values(self, **values: object) -> Self:
        """A validated copy with some values replaced; accepts every name that :func:`parse` accepts."""
        return parse(type(self), self.model_dump() | canonical(type(self), values))

    def changed(self) -> dict[str, Any]:
        """The values that differ from the defaults: what a URL or a reproducing command has to say."""
        defaults = {spec.name: spec.default for spec in specs(type(self))}
        return {name: value for name, value in self.model_dump().items() if value != defaults[name]}


class Undeclared(RuntimeError):
    """A computation read a parameter that it does not declare: the store and the page would not know of it."""


def restricted(params: P, names: frozenset[str], reader: str) -> P:
    """The same parameters, which raise :class:`Undeclared` when another one than ``names`` is read.

    ``reader`` names, for the message, who declared ``names``.
    """
    view = _restricted(type(params), names, reader)
    return view.model_construct(**{name: params.__dict__[name] for name in type(params).model_fields})


@cache
def _restricted(model: type[P], names: frozenset[str], reader: str) -> type[P]:
    hidden = frozenset(model.model_fields) - names

    def read(self: Any, name: str) -> Any:
        if name in hidden:
            raise Undeclared(f"{reader} reads the parameter {name}, which it does not declare in `uses`.")
        return model.__getattribute__(self, name)

    view = type(model.__name__, (model,), {"__getattribute__": read, "__module__": model.__module__})
    return cast("type[P]", view)


@cache
def specs(model: type[Parameters]) -> tuple[Spec, ...]:
    """All parameters of a model, in declaration order."""
    found: list[Spec] = []
    for name, field in model.model_fields.items():
        extra = dict(cast(Mapping[str, Any], field.json_schema_extra or {}))
        extra |= {key: tuple(value) for key, value in extra.items() if key in ("choices", "spec_names")}
        integer = "int" in str(field.annotation)
        is_array = bool(extra.pop("array", False))
        kind = "array" if is_array else "choice" if "choices" in extra else "integer" if integer else "number"
        found.append(Spec(name=name, kind=kind, default=field.default, description=field.description or "", **extra))
    return tuple(found)


def spec(model: type[Parameters], name: str) -> Spec:
    """The description of one parameter, by its glossary name."""
    return _names(model)[name][0]


def ladder(spec: Spec, value: float | None = None) -> list[Any]:
    """The values that a control offers for a bounded number, to four digits, ``value`` among them.

    >>> ladder(Spec("n", "integer", 10, "n", "n", "", low=1, high=100, step=0.5, scale="log10"), 7)
    [1, 3, 7, 10, 32, 100]
    """
    ends = (math.log10(spec.low), math.log10(spec.high)) if spec.scale == "log10" else (spec.low, spec.high)
    positions = [ends[0] + i * spec.step for i in range(round((ends[1] - ends[0]) / spec.step) + 1)]
    values = [spec.low * 10 ** (at - ends[0]) for at in positions] if spec.scale == "log10" else positions
    rungs = {round(rung) if spec.kind == "integer" else float(f"{rung:.4g}") for rung in values}
    return sorted(rungs if value is None else rungs | {value})


def canonical(model: type[Parameters], values: Mapping[str, object]) -> dict[str, object]:
    """Rename the identifiers that papers use to the glossary's names.

    Raises:
        ParameterError: a name is unknown, or one parameter is given under two names.
    """
    names = _names(model)
    result: dict[str, object] = {}
    for given, value in values.items():
        if given not in names:
            near = get_close_matches(given, names, n=3)
            hint = f" (did you mean {' or '.join(near)}?)" if near else ""
            raise ParameterError(given, value, f"a parameter of this room: {', '.join(model.model_fields)}{hint}")
        item, logarithm = names[given]
        if item.name in result:
            raise ParameterError(given, value, f"{item.name} under one name only, but it was given twice")
        result[item.name] = _power_of_ten(given, value, item) if logarithm else value
    return result


@cache
def _names(model: type[Parameters]) -> dict[str, tuple[Spec, bool]]:
    """Every accepted name: its parameter, and whether it stands for the base-10 logarithm."""
    found: dict[str, tuple[Spec, bool]] = {}
    for item in specs(model):
        found |= dict.fromkeys((item.name, *item.spec_names), (item, False))
        if item.log10_name:
            found[item.log10_name] = (item, True)
    return found


def parse(model: type[P], values: Mapping[str, object]) -> P:
    """Validate ``values`` (any accepted name; numbers may be strings) into the model.

    Raises:
        ParameterError: names the parameter, the value and what is allowed.
    """
    named = canonical(model, values)
    try:
        return model.model_validate(named)
    except ValidationError as error:
        first = error.errors()[0]
        if isinstance((first.get("ctx") or {}).get("error"), BenchError):
            raise first["ctx"]["error"] from None  # pyright: ignore[reportTypedDictNotRequiredAccess]
        name = str(first["loc"][0]) if first["loc"] else "parameters"
        allowed = spec(model, name).allowed if name in model.model_fields else first["msg"]
        raise ParameterError(name, named.get(name), allowed) from None


def clamp(
    model: type[P], values: Mapping[str, object], bounds: Mapping[str, tuple[float, float]] | None = None
) -> tuple[P, tuple[str, ...]]:
    """Like :func:`parse` but for addresses typed or shared by people: what is not allowed falls back, and is said.

    A number outside its range moves to the nearest end; anything else that cannot be used takes its default.
    Returns the parameters and one sentence per value that was changed.
    """
    with suppress(BenchError):
        params, named = parse(model, values), canonical(model, values)
        bounded = [(getattr(params, name), ends) for name, ends in (bounds or {}).items() if name in named]
        if all(value is None or low <= value <= high for value, (low, high) in bounded):
            return params, ()
    kept: dict[str, object] = {}
    notes: list[str] = []
    for given, value in values.items():
        try:
            name, named = next(iter(canonical(model, {given: value}).items()))
        except ParameterError as error:
            item = next((found for found in specs(model) if given == found.log10_name), None)
            nearest = item and _nearest(value, math.log10(item.low), math.log10(item.high), "number")
            notes.append(f"{error} Using {_plain(nearest)}." if nearest is not None else str(error))
            if item is not None and nearest is not None:
                kept |= canonical(model, {given: nearest})
            continue
        item = spec(model, name)
        low, high = (bounds or {}).get(name, (item.low, item.high))
        try:
            checked = getattr(parse(model, {name: named}), name)
            if item.kind in ("integer", "number") and checked is not None and not low <= checked <= high:
                raise ParameterError(name, checked, f"a value from {_plain(low)} to {_plain(high)}")
            kept[name] = named
        except BenchError as error:
            nearest = _nearest(named, low, high, item.kind)
            notes.append(f"{error} Using {nearest if nearest is not None else item.default}.")
            if nearest is not None:
                kept[name] = nearest
    try:
        return parse(model, kept), tuple(notes)
    except BenchError as error:
        return model(), (*notes, f"{error} Using the defaults.")


def read_value(text: str) -> object:
    """A value from a command line or an address: JSON where it parses, else the text itself.

    >>> read_value("3"), read_value("[1, 2]"), read_value("plain")
    (3, [1, 2], 'plain')
    """
    try:
        return json.loads(text, parse_constant=lambda constant: constant)
    except (ValueError, RecursionError):  # not JSON, a number of thousands of digits, thousands of brackets
        return text


def _power_of_ten(name: str, value: object, item: Spec) -> float | int:
    low, high = math.log10(item.low), math.log10(item.high)
    try:
        exponent = float(str(value))
    except ValueError:
        exponent = math.nan
    if not low <= exponent <= high:
        raise ParameterError(name, value, f"a number from {_plain(low)} to {_plain(high)}")
    value_in_range = min(max(10**exponent, item.low), item.high)  # 10**log10(high) can round to above high
    return round(value_in_range) if item.kind == "integer" else value_in_range


def _nearest(value: object, low: float, high: float, kind: str) -> float | int | None:
    try:
        found = float(str(value))
    except ValueError:
        return None
    if kind not in ("integer", "number") or math.isnan(found):
        return None
    moved = min(max(found, low), high)
    return round(moved) if kind == "integer" else moved


def _plain(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e5 else f"{value:,.0f}"
