"""The verdict in one line: allowance as a band, deviation as a dot with its whisker, rivals as vermilion ticks.

Everything is inline HTML and SVG coloured by the page's ``--bench-`` variables, so light and dark need no second copy.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, inf, isfinite, log10
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from theory.core.bench import Result
    from theory.core.vocabulary import Assumption, Check, Status, Verdict

WIDTH, PAD, SIZE, ROW = 320.0, 8.0, 12.0, 15.0
"""Narrowest page, side margin, type size and label line height, in pixels. Positions are drawn as shares of the real
width: labels that do not overlap at WIDTH do not overlap on any wider page."""
MAX_WIDTH = 560
FONT = "font-family:Inter,system-ui,-apple-system,'Segoe UI',sans-serif;"
LOG_FROM = 12.0
"""The axis becomes logarithmic when the farthest rival is this many times beyond the nearest mark."""
WHISKER = 4.0

BADGES: dict[str, tuple[str, str, str]] = {
    "holds": ("✓", "Holds", "good"),
    "fails": ("✕", "Fails", "bad"),
    "inconclusive": ("?", "Inconclusive", "warn"),
    "outside_assumptions": ("○", "Outside its assumptions", "slate"),
    "observed": ("•", "Observed", "slate"),
    "not_run": ("–", "Not run", "slate"),
    "waiting": ("…", "Testing", "slate"),
}


@dataclass(frozen=True)
class Label:
    """A text under or over the axis: ``x`` of its tick, ``left`` of its text, its line and colour variable."""

    text: str
    x: float
    left: float
    row: int
    tone: str

    @property
    def right(self) -> float:
        return self.left + text_width(self.text)


def badge(verdict: Verdict | Status | None) -> str:
    """The verdict as a pill with sign and word; None while it is being computed.

    >>> "✓" in badge("holds") and "Holds" in badge("holds")
    True
    """
    status = "waiting" if verdict is None else verdict if isinstance(verdict, str) else verdict.status
    sign, word, tone = BADGES[status]
    style = (
        f"{FONT}display:inline-flex;gap:.45em;align-items:center;padding:8px 14px;border-radius:8px;font-weight:650;"
        f"font-size:15px;line-height:1.2;background:var(--bench-{tone},#4b5563);color:var(--bench-card,#fff)"
    )
    return (
        f'<span class="bench-badge bench-badge-{tone}" data-status="{status}" style="{style}">'
        f'<span aria-hidden="true">{sign}</span>{word}</span>'
    )


def chips(assumptions: Sequence[Assumption]) -> str:
    """One chip per assumption: sign and name, the numbers that decided it as tooltip and for screen readers."""
    return "".join(_chip(item.name, item.holds, item.detail) for item in assumptions)


def ruler(result: Result) -> str:
    """The ruler of a checked claim: its decisive check, and the rivals judged on the same raw data.

    While the claim holds, the check that rejects most rivals is shown, since that one could have rejected the claim. A
    rival that only another check rejects is left out; one that none rejects is shown.
    """
    checks = result.verdict.checks
    if not checks:
        return ""
    marks = {name: {judged.check.name: judged for judged in verdict.checks} for name, verdict in result.rivals.items()}

    def separates(check: Check) -> int:
        found = (mine.get(check.name) for mine in marks.values())
        return sum(judged is not None and judged.status == "fails" for judged in found)

    holds = result.verdict.status == "holds"
    decisive = max(
        checks, key=lambda judged: (separates(judged.check) if holds else 0, _use(judged.check, judged.margin))
    )
    check = decisive.check
    rivals: dict[str, float] = {}
    for name, mine in marks.items():
        judged = mine.get(check.name)
        elsewhere = any(other.status == "fails" for other in mine.values())
        if judged is not None and isfinite(judged.check.deviation) and (judged.status == "fails" or not elsewhere):
            rivals[name] = judged.check.deviation
    return draw(check.deviation, check.allowance, check.standard_error, rivals, result.verdict.status, check.name)


def draw(
    deviation: float,
    allowance: tuple[float, float],
    standard_error: float = 0.0,
    rivals: Mapping[str, float] | None = None,
    status: Status = "holds",
    name: str = "deviation",
) -> str:
    """An SVG of plain numbers that is as wide as its place (up to 560 pixels) with type of constant size.

    Distances are drawn on the side on which the deviation lies: of a two-sided allowance one end is shown, of a
    one-sided bound the finite one. The axis is logarithmic when rivals are far.
    """
    if not isfinite(deviation):
        return ""
    sign = -1.0 if (deviation < 0 and isfinite(allowance[0])) or not isfinite(allowance[1]) else 1.0
    band = max(0.0, sign * (allowance[1] if sign > 0 else allowance[0]))
    band = band if isfinite(band) else 0.0
    at = max(sign * deviation, 0.0)
    others = {rival: abs(value) for rival, value in (rivals or {}).items()}
    near = max(band, at, WHISKER * standard_error)
    far = max([near, *others.values()])
    positive = [value for value in (band, at) if value > 0]
    logarithmic = bool(positive) and far > LOG_FROM * min(positive) and far > 0
    low = min(positive) / 3 if logarithmic else 0.0
    high = (far * 1.6 if logarithmic else far * 1.12) or 1.0

    def place(value: float) -> float:
        inner = WIDTH - 2 * PAD
        if not logarithmic:
            return PAD + inner * min(max(value / high, 0.0), 1.0)
        return PAD + inner * min(max((log10(max(value, low)) - log10(low)) / (log10(high) - log10(low)), 0.0), 1.0)

    limit = f"allowance {number(band)}" if band else "exact: no allowance"
    labels = [(place(band), limit, "muted")]
    labels += [(place(value), f"{_short(rival)}: {number(value)}", "bad") for rival, value in others.items()]
    under = layout_labels(labels)
    spread = f" ± {number(standard_error)}" if standard_error else ""
    over = layout_labels([(place(at), f"{_short(name)} {number(sign * at)}{spread}", "ink")])[0]
    rows = 1 + max(label.row for label in under)
    axis, height = 30.0, 30.0 + 12.0 + ROW * rows + 6
    tone = BADGES[status][2]
    parts = [_line(PAD, WIDTH - PAD, axis, "line", 6, "round")]
    if logarithmic:
        decades = range(floor(log10(low)) + 1, floor(log10(high)) + 1)
        parts += [_tick(place(10.0**power), axis - 3, axis + 3, "muted", 1) for power in decades]
    parts.append(_line(PAD, max(place(band), PAD + 1), axis, "good", 6, "butt", 0.4))
    parts.append(_tick(place(band), axis - 7, axis + 7, "muted", 1.5))
    for label in under:
        if label.tone == "bad":
            parts.append(_tick(label.x, axis - 8, axis + 8, "bad", 2))
        crossed = any(other.row < label.row and other.left - 2 < label.x < other.right + 2 for other in under)
        if label.row and not crossed:
            parts.append(_tick(label.x, axis + 9, axis + 10 + ROW * label.row, label.tone, 0.8, 0.45))
    if standard_error:
        ends = (place(max(at - WHISKER * standard_error, 0.0)), place(at + WHISKER * standard_error))
        parts.append(_line(*ends, axis, tone, 2.5, "butt"))
    parts.append(
        f'<circle cx="{_percent(place(at))}" cy="{axis}" r="6" style="fill:var(--bench-{tone},#00704f);'
        'stroke:var(--bench-card,#fff);stroke-width:2"/>'
    )
    parts.append(_text(over, axis - 16))
    parts += [_text(label, axis + 22 + ROW * label.row) for label in under]
    if logarithmic:
        corner = Label("log scale", WIDTH, WIDTH - text_width("log scale"), 0, "muted")
        parts.append(_text(corner, 14) if over.right + 8 < corner.left else "")
    alt = _alternative(name, sign * at, standard_error, band, others)
    return (
        f'<svg class="bench-ruler" height="{height:g}" role="img" aria-label="{html.escape(alt)}" '
        f'style="{FONT}width:100%;max-width:{MAX_WIDTH}px;display:block;overflow:visible;font-size:{SIZE:g}px;'
        f'font-variant-numeric:tabular-nums"><title>{html.escape(alt)}</title>{"".join(parts)}</svg>'
    )


def layout_labels(labels: Sequence[tuple[float, str, str]]) -> list[Label]:
    """Place texts (tick position, text, tone) centred under their ticks, on as many lines as they need.

    >>> [label.row for label in layout_labels([(100, "one label here", "bad"), (110, "another label", "bad")])]
    [0, 1]
    """
    placed: list[Label] = []
    for x, text, tone in sorted(labels):
        width = text_width(text)
        left = min(max(x - width / 2, 0.0), max(WIDTH - width, 0.0))
        row = 0
        while any(
            label.row == row and left < label.right + 8 and label.left < left + width + 8 for label in placed
        ) or any(label.row > row and left - 3 < label.x < left + width + 3 for label in placed):
            row += 1
        placed.append(Label(text, x, left, row, tone))
    return placed


def text_width(text: str) -> float:
    """Estimated width in pixels of a text at the ruler's type size, slightly generous."""
    return sum(3.8 if c in "iljtfr.,:;'|!() " else 10.4 if c in "mwMW" else 7.3 for c in text)


def number(value: float) -> str:
    """Two significant digits with a true minus sign: 0.00153 -> '0.0015', 2.3e-7 -> '2.3e−7'."""
    text = f"{value:.2g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", "−")


def _use(check: Check, margin: tuple[float, float]) -> float:
    end = margin[1] if check.deviation >= 0 else margin[0]
    if not isfinite(end):
        return 0.0
    if end == 0:
        return 0.0 if check.deviation == 0 else inf
    return check.deviation / end if check.deviation / end >= 0 else inf


def _chip(name: str, holds: bool, detail: str) -> str:
    sign, tone, word = ("✓", "good", "holds") if holds else ("✕", "bad", "does not hold")
    style = (
        f"{FONT}display:inline-flex;gap:.4em;padding:3px 10px;border-radius:999px;font-size:13px;line-height:1.35;"
        f"color:var(--bench-{tone},#00704f);background:var(--bench-{tone}-soft,transparent);"
        f"border:1px solid color-mix(in srgb,var(--bench-{tone},#00704f) 45%,transparent)"
    )
    shown = html.escape(name.replace("_", " "))
    hidden = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"
    return (
        f'<span class="bench-chip" data-holds="{str(holds).lower()}" title="{html.escape(detail)}" style="{style}">'
        f'<span aria-hidden="true">{sign}</span>{shown}'
        f'<span style="{hidden}"> {word}: {html.escape(detail)}</span></span>'
    )


def _short(text: str, limit: int = 30) -> str:
    clean = text.replace("_", " ")
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


def _line(
    x0: float, x1: float, y: float, tone: str, width: float, cap: Literal["round", "butt"], opacity: float = 1.0
) -> str:
    return (
        f'<line x1="{_percent(x0)}" x2="{_percent(x1)}" y1="{y:g}" y2="{y:g}" style="stroke:var(--bench-{tone},#888);'
        f'stroke-width:{width:g};stroke-linecap:{cap};opacity:{opacity:g}"/>'
    )


def _tick(x: float, y0: float, y1: float, tone: str, width: float, opacity: float = 1.0) -> str:
    return (
        f'<line x1="{_percent(x)}" x2="{_percent(x)}" y1="{y0:g}" y2="{y1:g}" style="stroke:var(--bench-{tone},#888);'
        f'stroke-width:{width:g};opacity:{opacity:g}"/>'
    )


def _text(label: Label, y: float) -> str:
    centred = abs((label.left + label.right) / 2 - label.x) < 0.5
    x, anchor = (label.x, "middle") if centred else (0.0, "start") if label.left <= 0 else (WIDTH, "end")
    return (
        f'<text x="{_percent(x)}" y="{y:g}" text-anchor="{anchor}" style="fill:var(--bench-{label.tone},#555)">'
        f"{html.escape(label.text)}</text>"
    )


def _percent(x: float) -> str:
    return f"{100 * x / WIDTH:.2f}%"


def _alternative(name: str, deviation: float, error: float, band: float, rivals: Mapping[str, float]) -> str:
    spread = f" plus or minus {number(error)}" if error else ""
    text = f"{name.replace('_', ' ')}: deviation {number(deviation)}{spread}, allowance {number(band)}."
    if rivals:
        listed = ", ".join(f"{rival.replace('_', ' ')} {number(value)}" for rival, value in rivals.items())
        text += f" Wrong formulas deviate by: {listed}."
    return text
