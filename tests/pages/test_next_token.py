"""The room ``next_token`` in a real browser: figures, sliders, address, playground, own text, export."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from playwright.sync_api import Page, expect

from tests.pages import talk
from tests.pages.talk import SECONDS, OpenPage

ROOM, DONE = "next_token", "instances"


def opened(open_page: OpenPage, **options: object) -> Page:
    """The room with its verdict."""
    return talk.opened(open_page, ROOM, DONE, **options)


def test_opens_with_theory_measurement_and_verdict(open_page: OpenPage) -> None:
    page = opened(open_page)
    assert sum(len(x) for x, _ in talk.traces(page).values()) > 50
    expect(page.locator(".bench-verdict")).to_contain_text("Holds")
    assert "level" in (page.locator("#play bench-figure").get_attribute("aria-label") or "")


def test_a_slider_moved_by_keyboard_changes_figure_verdict_and_address(open_page: OpenPage) -> None:
    page = opened(open_page)
    before = talk.traces(page), page.locator(".bench-verdict").inner_text()
    talk.slider(page, "Prompts").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**n_sequences=13**")
    talk.wait_for_another_verdict(page, before[1], DONE)
    assert talk.traces(page) != before[0]
    page.reload()
    expect(talk.slider(page, "Prompts")).to_have_attribute("aria-valuenow", "13", timeout=SECONDS)


def test_points_of_the_picture_answer_to_the_pointer(open_page: OpenPage) -> None:
    page = opened(open_page)
    at = page.locator("#play bench-figure svg circle").last.bounding_box()
    assert at is not None
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    expect(page.locator("#play .bench-hover")).to_contain_text("log time")
    page.mouse.move(1, 1)
    expect(page.locator("#play .bench-hover")).to_have_count(0)


def test_a_setting_is_pinned_beside_another(open_page: OpenPage) -> None:
    page = opened(open_page)
    page.get_by_role("button", name="Pin / unpin").click()
    expect(page.locator(".bench-pinned bench-figure svg").first).to_be_visible(timeout=SECONDS)
    page.get_by_role("button", name="Pin / unpin").click()
    expect(page.locator(".bench-pinned")).to_have_count(0, timeout=SECONDS)


def test_a_preset_and_a_broken_assumption(open_page: OpenPage) -> None:
    page = opened(open_page)
    page.get_by_role("button", name="One contradiction").click()
    page.wait_for_url("**preset=one_contradiction**")
    page.get_by_role("button", name="A step too large").click()
    page.wait_for_url("**preset=step_too_large**")
    expect(page.locator(".bench-chip[data-holds=false]").first).to_be_visible(timeout=SECONDS)
    expect(page.locator(".bench-verdict")).to_contain_text("Outside", timeout=SECONDS)
    page.get_by_role("button", name="Reset", exact=True).click()
    page.wait_for_function("() => !location.search.includes('preset')")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("vocab_size", "NaN", "vocab_size = NaN is not allowed"),
        ("n_last", "999", "n_last = 999 is not allowed"),
        ("nonsense", "1", "nonsense = 1 is not allowed"),
        ("preset", "<img src=x>", "preset = <img src=x> is not known"),
    ],
)
def test_a_bad_address_gives_a_sentence_and_a_page(open_page: OpenPage, key: str, value: str, said: str) -> None:
    talk.expect_complaint(open_page(f"/{ROOM}/", **{key: value}), said)


def test_the_playground_answers_with_a_certificate(open_page: OpenPage) -> None:
    page = opened(open_page)
    tokens = page.locator(".bench-tokens marimo-button button")
    tokens.nth(3).click()
    expect(page.get_by_text("3 → ?", exact=True)).to_be_visible(timeout=SECONDS)
    tokens.nth(0).click()
    expect(page.get_by_text("3 0 → ?", exact=True)).to_be_visible(timeout=SECONDS)


def test_own_text_is_predicted_and_a_binary_file_is_refused(open_page: OpenPage) -> None:
    page = opened(open_page)
    card = page.locator(".bench-card", has_text="A text of your own")
    expect(card).to_contain_text("automaton, held out", timeout=SECONDS)
    area = card.locator("textarea")
    area.fill("the cat saw the dog and the dog saw the cat <b>then</b> " * 40)
    area.blur()
    expect(card).to_contain_text("held-out windows from the last fifth of the pasted text", timeout=SECONDS)
    card.locator("input[type=file]").set_input_files(
        {"name": "noise.txt", "mimeType": "text/plain", "buffer": bytes(range(256)) * 8}
    )
    expect(card.get_by_role("alert")).to_contain_text("upload_binary", timeout=SECONDS)
    assert area.input_value().startswith("the cat")


def test_the_export_is_a_zip_with_figure_numbers_and_claim(open_page: OpenPage) -> None:
    page = opened(open_page)
    with page.expect_download(timeout=SECONDS) as found:
        page.locator(".bench-card", has_text="The same numbers elsewhere").get_by_text("talk picture").click()
    archive = zipfile.ZipFile(io.BytesIO(found.value.path().read_bytes()))
    names = set(archive.namelist())
    assert {"figure.html", "claim.json", "caption.txt", "citation.bib", "data/curves.csv"} <= names
    assert json.loads(archive.read("claim.json"))["claim"] == "sharp-logits"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_readable_and_inside_the_window(open_page: OpenPage, scheme: str, width: int) -> None:
    page = opened(open_page, scheme=scheme, width=width)
    assert talk.fits(page)
    ratio = page.evaluate(
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
    assert ratio >= 4.5


def test_sliders_that_do_nothing_and_the_floating_outline_are_hidden(open_page: OpenPage) -> None:
    page = open_page(f"/{ROOM}/", preset="slow_tie", width=1500)
    expect(page.locator(".bench-verdict")).to_contain_text("complementarity", timeout=SECONDS)
    for name, shown in {"vocab_size": False, "n_last": False, "contradictions": True, "steps": True}.items():
        expect(page.locator(f'[data-parameter="{name}"]')).to_be_visible(visible=shown)
    outline = page.locator('[class~="top-[25vh]"]')
    assert not any(outline.nth(i).is_visible() for i in range(outline.count()))
