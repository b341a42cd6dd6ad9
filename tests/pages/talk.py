"""What the browser tests of all rooms ask a page: its sliders, and what its opening picture shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect

from widgets.kit.controls import VISITOR_KEYS

OpenPage = Callable[..., Page]
SECONDS = 90_000
"""Milliseconds that an experiment may take on a busy machine."""
DONE = re.compile(r"seeds,|instances")
"""A final verdict counts its replicates."""
Traces = dict[str, list[list[float]]]


def opened(open_page: OpenPage, room: str, **options: object) -> Page:
    """The room's page with its picture and its final verdict."""
    page = open_page(f"/{room}/", **options)
    expect_picture(page)
    expect_verdict(page)
    return page


def said(address: str) -> dict[str, list[str]]:
    """What an address says about what is shown, not about who looks."""
    return {key: value for key, value in parse_qs(urlsplit(address).query).items() if key not in VISITOR_KEYS}


def reset(page: Page, home: dict[str, list[str]]) -> None:
    """Bring a page back to what its bare address shows, where the address says ``home``, with the final verdict."""
    if said(page.url) != home:
        page.get_by_role("button", name="Reset", exact=True).click()
        page.wait_for_url(lambda address: said(address) == home)
    expect_verdict(page)


def expect_picture(page: Page) -> None:
    """Wait for the opening picture."""
    expect(page.locator("#play bench-figure svg").first).to_be_visible(timeout=SECONDS)


def expect_verdict(page: Page) -> None:
    """Wait for the final verdict."""
    expect(page.locator(".bench-verdict")).to_contain_text(DONE, timeout=SECONDS)


def slider(page: Page, label: str) -> Locator:
    """The thumb of the slider with this label."""
    return page.locator("marimo-slider", has_text=label).locator("[role=slider]")


def traces(page: Page) -> Traces:
    """Coordinates [x, y] of the opening picture's traces, by name; null where a line has a gap."""
    return page.evaluate(
        """() => Object.fromEntries(
            JSON.parse(document.querySelector("#play bench-figure").dataset.figure).data
                .map((trace, i) => [trace.name ?? String(i), [trace.x, trace.y]]))"""
    )


def changed_trace(page: Page, name: str, before: list[list[float]]) -> list[list[float]]:
    """Coordinates [x, y] of a trace of the opening picture, once other values stand at as many places as ``before``."""
    page.wait_for_function(
        """([name, before]) => {
            const figure = document.querySelector("#play bench-figure");
            const found = figure && JSON.parse(figure.dataset.figure).data.find(trace => trace.name === name);
            return found && found.x.length === before[0].length
                && JSON.stringify([found.x, found.y]) !== JSON.stringify(before);
        }""",
        arg=[name, before],
        timeout=SECONDS,
    )
    return traces(page)[name]


def wait_for_another_verdict(page: Page, before: str) -> None:
    """Wait until the verdict is final again and not the one of ``before``."""
    page.wait_for_function(
        "([before, done]) => { const now = document.querySelector('.bench-verdict').innerText;"
        " return now.match(done) && now !== before; }",
        arg=[before, DONE.pattern],
        timeout=SECONDS,
    )


def expect_claim_picture(page: Page) -> None:
    """Wait for the picture of the claim that the menu names, in the section *Test*."""
    title = page.get_by_label("Claim").evaluate("menu => menu.selectedOptions[0].text")
    expect(page.locator(f"[data-bench-alt^='{title}.'] .js-plotly-plot")).to_be_visible(timeout=SECONDS)


def expect_test_figures(page: Page, said: dict[str, str]) -> None:
    """Choose each figure of the section *Test* by its name in turn; its text alternative contains what it shows."""
    card = page.locator(".bench-card", has_text="Every check and every rival")
    for which, alt in said.items():
        card.locator("select").select_option(label=which)
        expect(card.locator(f"[data-bench-alt*='{alt}']")).to_be_visible(timeout=SECONDS)


def fits(page: Page) -> bool:
    """Whether the page is no wider than the window."""
    return page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
