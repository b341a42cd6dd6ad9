"""What the command line prints for people: claims, predictions and verdicts as compact text."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from xarray import Dataset

from theory.core.bench import Result
from theory.core.parameters import Spec
from theory.core.store import Usage
from theory.core.vocabulary import AnyClaim, AnyRoom, Assumption, JudgedCheck, Status, Verdict

WIDTH = 100
HALF_BAND = 12
PER_DECADE = 6
HALF_RULER = HALF_BAND + 3 * PER_DECADE

BADGES: dict[Status, tuple[str, str]] = {
    "holds": ("✓ Holds", "32"),
    "fails": ("✗ Fails", "31"),
    "inconclusive": ("? Inconclusive", "33"),
    "outside_assumptions": ("○ Outside its assumptions", "36"),
    "observed": ("· Observed", "34"),
    "not_run": ("– Not run", "35"),
}


class Style:
    """Colours on a terminal, plain text elsewhere; a colour never says what a word does not."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def badge(self, status: Status) -> str:
        return self.paint(BADGES[status][0], f"1;{BADGES[status][1]}")

    def bold(self, text: str) -> str:
        return self.paint(text, "1")

    def faint(self, text: str) -> str:
        return self.paint(text, "2")


def ruler_position(deviation: float, margin: tuple[float, float]) -> int:
    """Where a deviation stands on the ruler, in characters from its middle.

    The margin spans ``HALF_BAND`` to either side, linearly; beyond it each factor of ten is ``PER_DECADE`` further.

    >>> [ruler_position(x, (-0.5, 0.5)) for x in (0.0, 0.25, -0.5, 5.0, 1e9)]
    [0, 6, -12, 18, 30]
    """
    end = margin[1] if deviation >= 0 else margin[0]
    if math.isinf(end):
        end = margin[0] if deviation >= 0 else margin[1]
    if math.isnan(deviation) or deviation == 0 or math.isinf(end):
        return 0
    share = abs(deviation / end) if end else math.inf
    length = share * HALF_BAND if share <= 1 else HALF_BAND + PER_DECADE * math.log10(share)
    return math.floor(math.copysign(min(length, HALF_RULER), deviation) + 0.5)


def ruler(judged: JudgedCheck, wrong: Iterable[float] = ()) -> str:
    """One line: the margin as a band, the resolution as ``┊``, the deviation as ``●``, wrong formulas as ``×``."""
    low, high = judged.margin
    line = ["·"] * (2 * HALF_RULER + 1)

    def put(position: int, sign: str) -> None:
        line[HALF_RULER + position] = sign

    left = -HALF_RULER if math.isinf(low) else -HALF_BAND if low else 0
    right = HALF_RULER if math.isinf(high) else HALF_BAND if high else 0
    for position in range(left, right + 1):
        put(position, "░")
    for end, sign in ((low, -1), (high, 1)):
        if math.isfinite(end) and math.isfinite(judged.check.resolution) and end:
            put(ruler_position(sign * judged.check.resolution, (low, high)), "┊")
    for deviation in wrong:
        put(ruler_position(deviation, (low, high)), "×")
    if not math.isnan(judged.check.deviation):
        put(ruler_position(judged.check.deviation, (low, high)), "●")
    return "".join(line)


def check_text(result: Result, style: Style) -> str:
    """A verdict for people: the word, why, the rulers, the assumptions, the wrong formulas, what it took."""
    claim = result.claim
    lines = [f"{style.badge(result.verdict.status)}  {style.bold(claim.id)}  {claim.title}"]
    lines += _wrapped(result.verdict.explanation)
    checks = result.verdict.checks
    if checks:
        width = max(len(judged.check.name) for judged in checks)
        lines += ["", *(_ruler_line(judged, result.rivals, width) for judged in checks)]
    heading = "Assumptions" if len(result.instances) == 1 else "Assumptions on the first data set"
    lines += _section(heading, assumption_lines(result.assumptions, style), style)
    slips = {rival.name: rival.slip for rival in claim.rivals}
    lines += _section("Wrong formulas here", rival_lines(result.rivals, slips), style)
    replicated = "seeds" if claim.replication == "seed" else "instances"
    count = result.seeds if replicated == "seeds" else len(result.instances)
    took = f"{count} {replicated}, {result.computed} measured now, {result.seconds:.1f} s"
    lines += ["", style.faint(f"  {took}; data sha256 {result.shown.problem.fingerprint[:12]}")]
    lines += [f"  Note: {note}" for note in result.notes]
    return "\n".join(lines)


def witness_text(claim: AnyClaim, name: str, verdict: Verdict, style: Style) -> str:
    """The verdict on a wrong formula at the parameters that are meant to expose it."""
    rejected = verdict.status == "fails"
    word = style.paint("✓ Rejected", "1;32") if rejected else style.paint("✗ Not rejected", "1;31")
    return "\n".join([f"{word}  {claim.id} / {name}", *_wrapped(verdict.explanation)])


def prediction_text(claim: AnyClaim, assumptions: Sequence[Assumption], prediction: Dataset, style: Style) -> str:
    """A prediction for people: its variables, with short arrays in full and long ones abridged."""
    lines = [f"{style.bold(claim.id)}  {claim.title}"]
    lines += _section("Assumptions", assumption_lines(assumptions, style), style)
    lines += ["", style.faint("  Prediction")]
    for name, variable in prediction.variables.items():
        sizes = ", ".join(f"{dim} {size}" for dim, size in variable.sizes.items())
        units = str(variable.attrs.get("units", "1"))
        described = [str(variable.attrs[key]) for key in ("long_name",) if key in variable.attrs]
        described += [] if units == "1" else [f"in {units}"]
        lines.append(
            f"  {name}" + (f" ({sizes})" if sizes else "") + (f": {', '.join(described)}" if described else "")
        )
        values = np.array2string(
            cast(Any, variable).values,
            precision=5,
            suppress_small=False,
            threshold=60,
            edgeitems=4,
            max_line_width=WIDTH - 4,
        )
        lines.append(textwrap.indent(values, "    "))
    return "\n".join(lines)


def list_text(rooms: Iterable[AnyRoom], style: Style) -> str:
    """All claims, by room."""
    lines: list[str] = []
    for room in rooms:
        paper = room.paper
        lines += [] if not lines else [""]
        lines += [style.bold(room.title), style.faint(f"{paper.authors} ({paper.year}), arXiv:{paper.arxiv}")]
        width = max(len(claim.id) for claim in room.claims)
        lines += [f"  {claim.id:<{width}}  {claim.kind:<11}  {claim.title}" for claim in room.claims]
    return "\n".join(lines)


def show_text(claim: AnyClaim, assumptions: Sequence[Assumption], specs: Sequence[Spec], style: Style) -> str:
    """Everything about a claim that does not need an experiment; ``specs`` are the parameters that enter it."""
    lines = [f"{style.bold(claim.id)}  {claim.title}", *_wrapped(claim.statement), "", f"  {claim.latex}", ""]
    lines += _wrapped(f"{claim.kind.capitalize()}; {claim.source}. Notices deviations from {claim.resolution:g}.")
    lines += _wrapped(claim.power) if claim.power else []
    lines += _section("Assumptions (at the claim's own parameters)", assumption_lines(assumptions, style), style)
    own = "the claim's own parameters"
    rivals = [f"× {r.name}: {r.slip}; rejected at {settings(r.witness) or own}" for r in claim.rivals]
    lines += _section("Wrong formulas that its test rejects", rivals, style)
    lines += _section("Own parameters", [settings(claim.defaults) or "the room's defaults"], style)
    rows = [("parameter", "symbol", "default", "allowed", "also known as")]
    for spec in specs:
        allowed = "JSON array" if spec.kind == "array" else spec.allowed.removeprefix("a ")
        default = claim.defaults.get(spec.name, spec.default)
        names = ", ".join((*spec.spec_names, spec.log10_name)).strip(", ")
        rows.append((spec.name, spec.symbol, "" if default is None else str(default), allowed, names))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    table = [
        "  ".join([*(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=False)), row[4]]).rstrip() for row in rows
    ]
    lines += ["", style.faint(f"  {table[0]}"), *(f"  {row}" for row in table[1:])]
    return "\n".join(lines)


def settings(values: Any) -> str:
    """Parameter values as they are given on the command line.

    >>> settings({"steps": 100, "scc_sizes": [3, 1]})
    'steps=100 scc_sizes=[3, 1]'
    """
    return " ".join(f"{name}={value}" for name, value in values.items())


def assumption_lines(assumptions: Iterable[Assumption], style: Style) -> list[str]:
    """One line per assumption, with a sign that says whether it holds."""
    return [
        f"{style.paint('✓', '32') if a.holds else style.paint('✗', '31')} {a.name}"
        + (f": {a.detail}" if a.detail else "")
        for a in assumptions
    ]


def rival_lines(verdicts: Any, slips: dict[str, str]) -> list[str]:
    """One line per wrong formula: rejected at these parameters, or not told apart."""
    words = {"fails": "rejected", "holds": "not told apart"}
    return [
        f"× {name} ({slips[name]}): {words.get(v.status, BADGES[v.status][0][2:].lower())}"
        for name, v in verdicts.items()
    ]


def _ruler_line(judged: JudgedCheck, rivals: Any, width: int) -> str:
    name = judged.check.name
    wrong = [c.check.deviation for verdict in rivals.values() for c in verdict.checks if c.check.name == name]
    return f"  {name:<{width}}  {ruler(judged, wrong)}  {judged.check.deviation:.3g}"


def _section(heading: str, rows: Sequence[str], style: Style) -> list[str]:
    return ["", style.faint(f"  {heading}"), *(f"    {row}" for row in rows)] if rows else []


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False)


def usage_text(usage: Usage) -> str:
    """How much the store keeps, and where."""
    kept = "One result" if usage.entries == 1 else f"{usage.entries:,} results"
    return f"{kept}, {usage.bytes / 1e6:,.1f} MB of at most {usage.limit_bytes / 1e6:,.0f} MB, in {usage.path}"


def written_text(written: Sequence[Path]) -> str:
    """The files of a new room, and what to do next."""
    return "\n".join([*map(str, written), "", "Next: `theory check --all`, `make app`, and CONTRIBUTING.md."])
