"""Geometry of a layered graph in pixels: where components go, and the wedges of their rings. Nothing here draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import cos, hypot, inf, pi, sin

from widgets.kit.theme import PANEL_HEIGHT

NOMINAL_WIDTH = 300.0
"""Pixels that the layout assumes for a panel: what a 360 px phone leaves."""
ROW_GAP = 34.0


@dataclass(frozen=True)
class Item:
    """One thing to place: a component (token positions ``tokens``), or a crowd of single tokens on one level."""

    components: tuple[int, ...]
    tokens: tuple[int, ...]
    level: float
    radius: float
    left: float
    right: float
    crowd: bool

    @property
    def half_height(self) -> float:
        return self.radius + (16 if len(self.tokens) > 1 and not self.crowd else 3)


def panel_height(compact: bool) -> float:
    return 136.0 if compact else PANEL_HEIGHT


def vertical(items: Sequence[Item], compact: bool) -> tuple[tuple[float, float], list[float]]:
    """The axis range that leaves room for the outermost items, and the pixels of each item below the panel's top."""
    panel = panel_height(compact)
    high, low = max(item.level for item in items), min(item.level for item in items)
    above = max(item.half_height for item in items if item.level == high) + 4
    below = max(item.half_height for item in items if item.level == low) + 4
    if high - low < 1e-9:
        return (low - 1.0, high + 1.0), [panel / 2] * len(items)
    scale = (high - low) / max(panel - above - below, 0.3 * panel)
    top = high + above * scale
    return (low - below * scale, top), [(top - item.level) / scale for item in items]


def cramped(items: Sequence[Item], heights: Sequence[float], edges: Sequence[tuple[int, int]], room: float) -> bool:
    owner = {component: at for at, item in enumerate(items) for component in item.components}
    joined = {(owner[upper], owner[lower]) for upper, lower in edges if owner[upper] != owner[lower]}
    return any(heights[b] - heights[a] < items[a].radius + items[b].radius + room for a, b in joined)


def place(items: Sequence[Item], heights: Sequence[float], edges: Sequence[tuple[int, int]]) -> list[float]:
    """Horizontal positions (pixels from the centre): below the parents, off other items and off their arrows."""
    owner = {component: at for at, item in enumerate(items) for component in item.components}
    parents: dict[int, set[int]] = {at: set() for at in range(len(items))}
    for upper, lower in edges:
        parents[owner[lower]].add(owner[upper])
    rows: dict[int, list[int]] = {}
    for at, height in enumerate(heights):
        rows.setdefault(round(height), []).append(at)
    placed: dict[int, float] = {}
    for _, row in sorted(rows.items()):
        wishes = {at: _mean([placed[parent] for parent in parents[at] if parent in placed]) for at in row}
        row.sort(key=lambda at: (wishes[at], at))
        width = sum(items[at].left + items[at].right for at in row)
        gap = min(ROW_GAP, max(4.0, (NOMINAL_WIDTH - width) / max(len(row) - 1, 1)))
        offsets: list[float] = []
        cursor = -(width + gap * (len(row) - 1)) / 2
        for at in row:
            offsets.append(cursor + items[at].left)
            cursor += items[at].left + items[at].right + gap
        middle = (offsets[0] + offsets[-1]) / 2
        offsets = [offset - middle for offset in offsets]
        wish = _mean(list(wishes.values()))

        def faults(shift: float, enough: float, row: list[int] = row, offsets: list[float] = offsets) -> float:
            total = 0.0
            for at, offset in zip(row, offsets, strict=True):
                if total >= enough:
                    break
                x, item = shift + offset, items[at]
                total += 30 * max(0.0, x + item.right - NOMINAL_WIDTH / 2, item.left - x - NOMINAL_WIDTH / 2)
                for other, where in placed.items():
                    total += 400 * _overlap(item, x, heights[at], items[other], where, heights[other])
                    for parent in parents[at] & placed.keys() - {other}:
                        line = (placed[parent], heights[parent], x, heights[at])
                        total += 90 * (_distance(line, where, heights[other]) < items[other].radius + 5)
            return total

        shift = _least({6.0 * step: abs(6.0 * step - wish) + 0.06 * abs(step) for step in range(-20, 21)}, faults)
        placed.update({at: shift + offset for at, offset in zip(row, offsets, strict=True)})
    return [placed[at] for at in range(len(items))]


def _least(wanting: Mapping[float, float], faults: Callable[[float, float], float]) -> float:
    """The shift with the least ``wanting`` plus ``faults(shift, enough)``, which may stop counting at ``enough``."""
    best, least = 0.0, inf
    for shift in sorted(wanting, key=wanting.__getitem__):
        if (base := wanting[shift]) >= least:
            break
        if (total := base + faults(shift, least - base)) < least:
            best, least = shift, total
    return best


def wedges(weights: Sequence[float], outer: float, inner: float, start: float) -> list[tuple[str, float]]:
    """Pixel paths of the wedges of a ring, clockwise from angle ``start``, and the angle of each wedge's middle."""
    paths: list[tuple[str, float]] = []
    for weight in weights:
        end = start - 2 * pi * weight
        count = max(2, int(32 * weight) + 2)
        angles = [start + (end - start) * i / (count - 1) for i in range(count)]
        rim = [f"{outer * cos(a):.2f},{outer * sin(a):.2f}" for a in angles]
        rim += [f"{inner * cos(a):.2f},{inner * sin(a):.2f}" for a in reversed(angles)]
        paths.append(("M" + "L".join(rim) + "Z", (start + end) / 2))
        start = end
    return paths


def first_angle(weights: Sequence[float], above: bool, below: bool) -> float:
    """Where to start a ring so that the names of its wedges stay clear of arrows from above and to below."""
    blocked = [pi / 2] * above + [-pi / 2] * below
    middles: list[float] = []
    used = 0.0
    for weight in weights:
        middles.append(-2 * pi * (used + weight / 2))
        used += weight
    named = [middle for middle, weight in zip(middles, weights, strict=True) if weight >= 0.04] or middles[:1]

    def clearance(turn: float) -> float:
        gaps = (abs((turn + middle - block + pi) % (2 * pi) - pi) for middle in named for block in blocked)
        return min(gaps, default=pi)

    preferred = pi / 2 - middles[0]
    turns = [preferred + pi / 18 * step for step in (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 7, -7, 8, -8, 9, -9)]
    clear = [turn for turn in turns if clearance(turn) > 0.6]
    return clear[0] if clear else max(turns, key=clearance)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _overlap(a: Item, ax: float, ay: float, b: Item, bx: float, by: float) -> bool:
    apart_x = ax - a.left >= bx + b.right + 4 or bx - b.left >= ax + a.right + 4
    apart_y = abs(ay - by) >= a.half_height + b.half_height + 2
    return not (apart_x or apart_y)


def _distance(line: tuple[float, float, float, float], x: float, y: float) -> float:
    x0, y0, x1, y1 = line
    length = hypot(x1 - x0, y1 - y0) or 1.0
    along = min(max(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length**2, 0.0), 1.0)
    return hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))
