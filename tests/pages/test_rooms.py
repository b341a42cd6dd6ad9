"""What every room's page owes its visitor, whatever the theorem: it fits, it reads well, it answers bad addresses."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.pages import talk
from tests.pages.talk import SECONDS, OpenPage
from theory.core import catalog

pytestmark = pytest.mark.slow

UNKNOWN = {"nonsense": "1", "preset": "<img src=x>"}
UNKNOWN_SAID = ("nonsense = 1 is not allowed", "preset = <img src=x> is not known")
BAD: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "next_token": (
        {"vocab_size": "NaN", "n_last": "999"},
        ("vocab_size = NaN is not allowed", "n_last = 999 is not allowed"),
    ),
    "ccmc": (
        {"transition": "[[0.5,0.6],[0.5,0.5]]", "n_tokens": "1e99", "window": "1", "odds_first": "NaN"},
        ("row 0 of P sums to 1.1", "n_tokens", "window = 1 is not allowed", "odds_first = NaN is not allowed"),
    ),
    "distillation": (
        {"n_samples": "1e99", "spectrum_exponent": "NaN", "eigenvalues": "[1,-1]"},
        ("n_samples", "spectrum_exponent = NaN is not allowed", "eigenvalues[1] is -1.0"),
    ),
    "icl": (
        {"context_length": "1e99", "alignment": "NaN", "eigenvalues": "[1,-1]"},
        ("context_length", "alignment = NaN is not allowed", "eigenvalues"),
    ),
}
"""Values of each room's own parameters that its address cannot mean, and what is said about them."""


def muted_contrast(page: Page) -> float:
    """WCAG contrast of the faintest text of the opening picture with its paper."""
    return page.evaluate(
        """() => {
            const light = text => {
                const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map(c => c / 255)
                    .map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
                return .2126 * r + .7152 * g + .0722 * b;
            };
            const paper = light(getComputedStyle(document.querySelector("#play")).backgroundColor);
            const texts = document.querySelectorAll("#play bench-figure text[fill*=muted]");
            return Math.min(...[...texts].map(text => {
                const ink = light(getComputedStyle(text).fill);
                return (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
            }));
        }"""
    )


def check_look(page: Page, scheme: str) -> None:
    """Figures are elements of the page: Plotly imported before a notebook's thread would make them iframes."""
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if "Content Security" in message.text else None)
    page.wait_for_selector("marimo-plotly .js-plotly-plot", timeout=SECONDS)
    talk.expect_verdict(page)
    talk.expect_picture(page)
    talk.expect_claim_picture(page)
    assert page.locator("iframe").count() == 0
    assert talk.fits(page)
    page.set_viewport_size({"width": 1600, "height": 900})
    talk.expect_picture(page)
    assert talk.fits(page)
    assert f"theme={scheme}" in page.url
    assert page.evaluate("() => document.body.classList.contains('dark')") == (scheme == "dark")
    assert muted_contrast(page) >= 4.5
    # Plotly asks for MathJax from a server elsewhere; figures do without it, and nothing else is asked from elsewhere.
    assert not [text for text in refused if "mathjax" not in text]


@pytest.mark.parametrize("room", catalog.room_ids())
def test_fits_every_window_in_the_dark(open_page: OpenPage, room: str) -> None:
    check_look(open_page(f"/{room}/", scheme="dark", width=400), "dark")


@pytest.mark.parametrize("room", catalog.room_ids())
def test_a_bad_address_gives_sentences_and_a_page_that_fits_in_the_light(open_page: OpenPage, room: str) -> None:
    query, said = BAD.get(room, ({}, ()))
    page = open_page(f"/{room}/", scheme="light", width=400, **UNKNOWN, **query)
    check_look(page, "light")
    for sentence in (*UNKNOWN_SAID, *said):
        expect(page.locator(".bench-note", has_text=sentence).first).to_be_visible(timeout=SECONDS)
