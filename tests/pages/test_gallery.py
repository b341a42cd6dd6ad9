"""The gallery and its way into a room, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from theory.core import catalog

pytestmark = pytest.mark.slow

OpenPage = Callable[..., Page]
ROOMS = catalog.rooms()
ROOM = ROOMS[0]
SECONDS = 120_000


def contrast(page: Page, selector: str) -> float:
    """WCAG contrast of an element's text with the card or page behind it."""
    return page.evaluate(
        """selector => {
            const rgb = text => text.match(/[\\d.]+/g).slice(0, 4).map(Number);
            const light = text => {
                const linear = c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
                const [r, g, b] = rgb(text).map(c => linear(c / 255));
                return .2126 * r + .7152 * g + .0722 * b;
            };
            let behind = document.querySelector(selector);
            const ink = light(getComputedStyle(behind).color);
            const clear = element => (rgb(getComputedStyle(element).backgroundColor)[3] ?? 1) === 0;
            while (behind && clear(behind)) behind = behind.parentElement;
            const paper = light(getComputedStyle(behind ?? document.documentElement).backgroundColor);
            return (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
        }""",
        selector,
    )


def background(page: Page) -> str:
    return page.evaluate("() => getComputedStyle(document.body).backgroundColor")


def test_each_card_says_finding_paper_and_verdicts(open_page: OpenPage) -> None:
    page = open_page("/")
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    expect(page).to_have_url(re.compile(r"/$"))
    for room in ROOMS:
        card = page.locator(f'.card[data-room="{room.id}"]')
        expect(card.get_by_role("heading", name=room.finding)).to_be_visible()
        expect(card.get_by_text(room.paper.title)).to_be_visible()
        expect(card.locator(".dots .dot")).to_have_count(len(room.claims))
    for room in ROOMS:
        page.wait_for_selector(f'.card[data-room="{room.id}"][data-drawn]', timeout=SECONDS)
        source = page.locator(f'.card[data-room="{room.id}"] .on-light').get_attribute("src")
        assert source
        drawn = page.evaluate("address => fetch(address).then(answer => answer.text())", source)
        assert "being computed" not in drawn
        assert drawn.count("<circle") + drawn.count("<path") + drawn.count("<polyline") + drawn.count("<line") >= 5
    page.wait_for_function("() => [...document.images].every(image => image.complete)")
    first = page.locator(".dots .dot:not(.pending)").first
    expect(first).to_be_visible()
    assert re.search(r": (Holds|Fails|Inconclusive|Observed)", first.locator(".unseen").inner_text())
    assert not complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_readable_at_every_width_and_scheme(open_page: OpenPage, scheme: str) -> None:
    page = open_page("/", scheme=scheme)
    for width in (400, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
        for selector in ("h1", ".lead", ".card h2 a", ".paper", ".tally", "summary", ".key li"):
            assert contrast(page, selector) >= 4.5, selector
        assert (background(page) == "rgb(21, 23, 28)") == (scheme == "dark")
        visible = page.locator(".picture img:visible")
        expect(visible).to_have_count(len(ROOMS))
        for number in range(len(ROOMS)):
            expect(visible.nth(number)).to_have_attribute("src", re.compile(scheme))


def test_theme_switch_is_remembered_and_carried_into_rooms(open_page: OpenPage) -> None:
    page = open_page("/", scheme="light")
    light = background(page)
    page.get_by_role("button", name="Switch between light and dark").click()
    dark = background(page)
    assert dark != light
    link = page.get_by_role("link", name=ROOM.finding)
    expect(link).to_have_attribute("href", re.compile("theme=dark"))
    page.goto(page.url.split("?")[0])
    assert background(page) == dark
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Switch between light and dark").focus()
    page.keyboard.press("Enter")
    assert background(page) == light


def test_search_by_keyboard(open_page: OpenPage) -> None:
    page = open_page("/")
    page.keyboard.press("/")
    box = page.get_by_role("searchbox")
    expect(box).to_be_focused()
    claim = ROOM.claims[-1]
    page.keyboard.type(claim.title.lower())
    expect(page.locator(".list li:visible")).to_have_count(1)
    expect(page.get_by_role("link", name=claim.title)).to_be_visible()
    box.fill("quantum gravity <b>")
    expect(page.locator(".card:visible")).to_have_count(0)
    expect(page.locator("#nothing")).to_contain_text("quantum gravity <b>")
    page.keyboard.press("Escape")
    expect(page.locator(".card:visible")).to_have_count(len(ROOMS))
    page.keyboard.type(ROOM.paper.title.lower())
    expect(page.locator(".card:visible")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"/{ROOM.id}/"))


def test_everything_can_be_reached_by_keyboard(open_page: OpenPage) -> None:
    page = open_page("/")
    reached: list[str] = []
    for _ in range(6 + 3 * len(ROOMS)):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("() => document.activeElement.id || document.activeElement.textContent.trim()"))
    wanted = {"Skip to the rooms", "search"}
    wanted |= {text for room in ROOMS for text in (room.finding, f"{len(room.claims)} claims")}
    assert wanted <= set(reached)


def test_stranger_is_told_what_to_do(open_page: OpenPage) -> None:
    page = open_page("/")
    page.context.clear_cookies()
    answer = page.goto(page.url.split("?")[0])
    assert answer
    assert answer.status == 401
    expect(page.get_by_text("Open the address that the server printed")).to_be_visible()
