"""Colours: the Okabe-Ito palette, one colour per token, and contrast that can be read (WCAG 2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

BLUE, SKY, GREEN, ORANGE, PURPLE, VERMILION, GREY = (
    "#0072B2",
    "#56B4E9",
    "#009E73",
    "#E69F00",
    "#CC79A7",
    "#D55E00",
    "#6b7280",
)
"""Okabe-Ito. Vermilion is kept for what is wrong (rivals, failures), so no token wears it."""


@dataclass(frozen=True)
class Palette:
    """The page's colours in one mode."""

    paper: str
    ink: str
    muted: str
    line: str


LIGHT = Palette(paper="#ffffff", ink="#1f2430", muted="#5d6470", line="#e7e3da")
DARK = Palette(paper="#1d2027", ink="#e9e7e2", muted="#a3a9b4", line="#343a45")


def palette(dark: bool) -> Palette:
    """The colours of the light or the dark page."""
    return DARK if dark else LIGHT


def token_colours(n: int, dark: bool = False) -> list[str]:
    """``n`` colours for tokens 0..n-1; token i has the same hue for every ``n`` and in both modes.

    After seven hues the series repeats, mixed towards the ink, then towards the paper.

    >>> token_colours(3)
    ['#0072b2', '#56b4e9', '#009e73']
    """
    return [_token_colour(i, dark) for i in range(n)]


@cache
def _token_colour(i: int, dark: bool) -> str:
    colours = palette(dark)
    hues = [BLUE, SKY, GREEN, ORANGE, PURPLE, GREY, colours.ink]
    shades = ((colours.ink, 0.0), (colours.ink, 0.4), (colours.paper, 0.4), (colours.ink, 0.65), (colours.paper, 0.6))
    return readable(mix(hues[i % 7], *shades[i // 7 % len(shades)]), colours.paper, 4.0 if dark else 1.5)


@cache
def mix(colour: str, other: str, share: float) -> str:
    """``colour`` with ``share`` of ``other`` mixed in (sRGB).

    >>> mix("#000000", "#ffffff", 0.5)
    '#808080'
    """
    mixed = (round(a + (b - a) * share) for a, b in zip(_rgb(colour), _rgb(other), strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


@cache
def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio of two colours, from 1 to 21.

    >>> round(contrast("#000000", "#ffffff"))
    21
    """
    bright, dim = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@cache
def readable(colour: str, paper: str, ratio: float = 4.5) -> str:
    """The nearest shade of ``colour`` whose contrast with ``paper`` is at least ``ratio`` (4.5: text, 3: marks)."""
    pole = "#000000" if _luminance(paper) > 0.18 else "#ffffff"
    shades = (mix(colour, pole, step / 20) for step in range(21))
    return next((shade for shade in shades if contrast(shade, paper) >= ratio), pole)


@cache
def translucent(colour: str, alpha: float) -> str:
    """``colour`` as an rgba() string."""
    red, green, blue = _rgb(colour)
    return f"rgba({red},{green},{blue},{alpha:g})"


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    channels = ((c / 255 / 12.92) if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in _rgb(colour))
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), channels, strict=True))
