"""What the browser tests of all rooms ask a page: its sliders, and what its opening picture shows."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

OpenPage = Callable[..., Page]
SECONDS = 90_000
"""Milliseconds that an experiment may take on a busy machine."""
Traces = dict[str, list[list[float]]]


def opened(open_page: OpenPage, room: str, done: str, **options: object) -> Page:
    """The room's page with its picture and its verdict, which counts replicates in words that contain ``done``."""
    page = open_page(f"/{room}/", **options)
    expect_picture(page)
    expect(page.locator(".bench-verdict")).to_contain_text(done, timeout=SECONDS)
    return page


def expect_picture(page: Page) -> None:
    """Wait for the opening picture."""
    expect(page.locator("#play bench-figure svg").first).to_be_visible(timeout=SECONDS)


def expect_complaint(page: Page, said: str) -> None:
    """Wait for a sentence about a bad address, and for the page's picture all the same."""
    expect(page.locator(".bench-note", has_text=said).first).to_be_visible(timeout=SECONDS)
    expect_picture(page)


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
    """Coordinates [x, y] of a trace of the opening picture, once they are not ``before`` any more."""
    page.wait_for_function(
        """([name, before]) => {
            const figure = document.querySelector("#play bench-figure");
            const found = figure && JSON.parse(figure.dataset.figure).data.find(trace => trace.name === name);
            return found && JSON.stringify([found.x, found.y]) !== JSON.stringify(before);
        }""",
        arg=[name, before],
        timeout=SECONDS,
    )
    return traces(page)[name]


def wait_for_another_verdict(page: Page, before: str, done: str) -> None:
    """Wait until the verdict is final again and not the one of ``before``."""
    page.wait_for_function(
        "([before, done]) => { const now = document.querySelector('.bench-verdict').innerText;"
        " return now.includes(done) && now !== before; }",
        arg=[before, done],
        timeout=SECONDS,
    )


def fits(page: Page) -> bool:
    """Whether the page is no wider than the window."""
    return page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
