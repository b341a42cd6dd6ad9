"""The room ``next_token`` in a real browser: figures, sliders, address, playground, own text, export."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from playwright.sync_api import Page, expect

from tests.pages import talk
from tests.pages.talk import SECONDS

pytestmark = pytest.mark.slow

ROOM = "next_token"


def test_opens_with_theory_measurement_and_verdict(page: Page) -> None:
    assert sum(len(x) for x, _ in talk.traces(page).values()) > 50
    expect(page.locator(".bench-verdict")).to_contain_text("Holds")
    assert "level" in (page.locator("#play bench-figure").get_attribute("aria-label") or "")


def test_points_of_the_picture_answer_to_the_pointer(page: Page) -> None:
    page.locator("#play bench-figure svg circle").last.hover(force=True)
    expect(page.locator("#play .bench-hover")).to_contain_text("log time")
    page.mouse.move(1, 1)
    expect(page.locator("#play .bench-hover")).to_have_count(0)


def test_a_setting_is_pinned_beside_another(page: Page) -> None:
    page.get_by_role("button", name="Pin / unpin").click()
    expect(page.locator(".bench-pinned bench-figure svg").first).to_be_visible(timeout=SECONDS)
    page.get_by_role("button", name="Pin / unpin").click()
    expect(page.locator(".bench-pinned")).to_have_count(0, timeout=SECONDS)


def test_a_preset_and_a_broken_assumption(page: Page) -> None:
    page.get_by_role("button", name="One contradiction").click()
    page.wait_for_url("**preset=one_contradiction**")
    page.get_by_role("button", name="A step too large").click()
    page.wait_for_url("**preset=step_too_large**")
    expect(page.locator(".bench-chip[data-holds=false]").first).to_be_visible(timeout=SECONDS)
    expect(page.locator(".bench-verdict")).to_contain_text("Outside", timeout=SECONDS)
    page.get_by_role("button", name="Reset", exact=True).click()
    page.wait_for_function("() => !location.search.includes('preset')")


def test_the_playground_answers_with_a_certificate(page: Page) -> None:
    tokens = page.locator(".bench-tokens marimo-button button")
    tokens.nth(3).click()
    expect(page.get_by_text("3 → ?", exact=True)).to_be_visible(timeout=SECONDS)
    tokens.nth(0).click()
    expect(page.get_by_text("3 0 → ?", exact=True)).to_be_visible(timeout=SECONDS)


def test_own_text_is_predicted_and_a_binary_file_is_refused(page: Page) -> None:
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


def test_the_export_is_a_zip_with_figure_numbers_and_claim(page: Page) -> None:
    with page.expect_download(timeout=SECONDS) as found:
        page.locator(".bench-card", has_text="The same numbers elsewhere").get_by_text("talk picture").click()
    archive = zipfile.ZipFile(io.BytesIO(found.value.path().read_bytes()))
    names = set(archive.namelist())
    assert {"figure.html", "claim.json", "caption.txt", "citation.bib", "data/curves.csv"} <= names
    assert json.loads(archive.read("claim.json"))["claim"] == "sharp-logits"


def test_sliders_that_do_nothing_and_the_floating_outline_are_hidden(page: Page) -> None:
    page.set_viewport_size({"width": 1500, "height": 900})
    page.get_by_role("button", name="A tie that takes").click()
    page.wait_for_url("**preset=slow_tie**")
    expect(page.locator(".bench-verdict")).to_contain_text("complementarity", timeout=SECONDS)
    for name, shown in {"vocab_size": False, "n_last": False, "contradictions": True, "steps": True}.items():
        expect(page.locator(f'[data-parameter="{name}"]')).to_be_visible(visible=shown)
    outline = page.locator('[class~="top-[25vh]"]')
    assert not any(outline.nth(i).is_visible() for i in range(outline.count()))


def test_a_slider_moved_by_keyboard_changes_figure_verdict_and_address(page: Page) -> None:
    before = talk.traces(page), page.locator(".bench-verdict").inner_text()
    talk.slider(page, "Prompts").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**n_sequences=13**")
    talk.wait_for_another_verdict(page, before[1])
    assert talk.traces(page) != before[0]
    page.reload()
    expect(talk.slider(page, "Prompts")).to_have_attribute("aria-valuenow", "13", timeout=SECONDS)
