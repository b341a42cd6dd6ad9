"""The room ``ccmc`` in a real browser: figures, sliders, the matrix editor, cures, a person's own data, export."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.pages import talk
from tests.pages.talk import SECONDS

pytestmark = pytest.mark.slow

ROOM = "ccmc"
JUDGED = "Holds"


def test_opens_with_theory_texts_and_the_real_layer(page: Page) -> None:
    expect(page.locator(".bench-verdict")).to_contain_text(JUDGED)
    names = talk.traces(page)
    assert {"flow (theory)", "simulated runs", "echo (theory)", "attention layer"} <= set(names), names
    expect(page.locator(".bench-card", has_text="What it writes")).to_contain_text("ping")
    assert talk.fits(page)


def choose_two_tokens(page: Page) -> None:
    """From the page's own buttons and menu to the claim about two tokens, with its final verdict."""
    page.get_by_role("button", name="Two tokens, one survives").click()
    page.wait_for_url("**preset=coin**")
    page.get_by_label("Claim").select_option(label="Two tokens have four fates")
    page.wait_for_url("**claim=k2-phase-diagram**")
    talk.expect_verdict(page)


def test_the_matrix_is_edited_by_keyboard_and_turned_by_its_button(page: Page) -> None:
    choose_two_tokens(page)
    expect(page.locator(".simplex-row")).to_have_count(2)
    border = page.get_by_role("slider", name="border between 0 and 1 after 0")
    border.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**transition=**")
    expect(talk.slider(page, "Odds after 0")).to_be_hidden(timeout=SECONDS)
    page.get_by_role("button", name="after 0: move the row's maximum off or onto the diagonal").click()
    page.wait_for_function(
        "() => { const P = JSON.parse(new URL(location).searchParams.get('transition') ?? '[[0, 0]]');"
        " return P[0][1] > P[0][0]; }"
    )
    rows = np.array(json.loads(page.evaluate("() => new URL(location).searchParams.get('transition')")))
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-9)
    page.get_by_role("button", name="back to the sliders").click()
    page.wait_for_function("() => !location.search.includes('transition')")
    expect(talk.slider(page, "Odds after 0")).to_be_visible(timeout=SECONDS)


def test_presets_keep_and_break_the_assumptions(page: Page) -> None:
    page.get_by_role("button", name="Two winners", exact=True).click()
    page.wait_for_url("**preset=two_winners**")
    page.get_by_role("button", name="A window kills").click()
    page.wait_for_url("**preset=window_kills**")
    expect(page.locator(".bench-chip[data-holds=false]").first).to_be_visible(timeout=SECONDS)
    expect(page.locator(".bench-verdict")).to_contain_text("Outside", timeout=SECONDS)
    page.get_by_role("button", name="Reset", exact=True).click()
    page.wait_for_url("**preset=echo_or_rally**")


def test_a_cure_changes_the_text(page: Page) -> None:
    card = page.locator(".bench-card", has_text="What it writes")
    expect(card.locator("section")).to_have_count(1)
    card.get_by_role("switch").first.click()
    expect(card.locator("section")).to_have_count(2, timeout=SECONDS)
    expect(card).to_contain_text("Output temperature 2")


def test_own_data_are_examined_and_bad_files_refused(page: Page) -> None:
    card = page.locator(".bench-card", has_text="A chain, a text or a log of your own")
    expect(card).to_contain_text("prompts of the last fifth, never learnt from", timeout=SECONDS)
    upload = card.locator("input[type=file]")
    log = "".join(json.dumps({"prompt": ["tea", "cup", who], "next": who}) + "\n" for who in ("tea", "cup") * 10)
    log += json.dumps({"prompt": ["pot", "tea"], "next": "tea"}) + "\n"
    upload.set_input_files({"name": "log.jsonl", "mimeType": "text/plain", "buffer": log.encode()})
    expect(card).to_contain_text("Which prompt to collect next", timeout=SECONDS)
    matrix = {"name": "chain.csv", "mimeType": "text/csv", "buffer": b",<b>a</b>,b\n<b>a</b>,0.8,0.2\nb,0.3,0.7\n"}
    upload.set_input_files(matrix)
    expect(card).to_contain_text("<b>a</b> 100%", timeout=SECONDS)
    upload.set_input_files({"name": "wrong.csv", "mimeType": "text/csv", "buffer": b"0.8,0.3\n0.3,0.7\n"})
    expect(card.get_by_role("alert")).to_contain_text("row 0 of P sums to 1.1", timeout=SECONDS)
    upload.set_input_files({"name": "noise.bin", "mimeType": "text/plain", "buffer": bytes(range(256)) * 8})
    expect(card.get_by_role("alert")).to_contain_text("upload_binary", timeout=SECONDS)


def test_the_export_is_a_zip_with_figure_numbers_and_claim(page: Page) -> None:
    with page.expect_download(timeout=SECONDS) as found:
        page.locator(".bench-card", has_text="The same numbers elsewhere").get_by_text("talk picture").click()
    archive = zipfile.ZipFile(io.BytesIO(found.value.path().read_bytes()))
    names = set(archive.namelist())
    assert {"figure.html", "claim.json", "caption.txt", "citation.bib", "data/growth.csv"} <= names
    claim = json.loads(archive.read("claim.json"))
    assert claim["claim"] == "winner-sets"
    assert "transition" in json.dumps(claim["params"])
    assert b"ildiz2024selfattention" in archive.read("citation.bib")


def test_a_slider_moved_by_keyboard_changes_figure_verdict_and_address(page: Page) -> None:
    choose_two_tokens(page)
    before = page.locator(".bench-verdict").inner_text(), talk.traces(page)
    talk.slider(page, "Odds after 0").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**odds_first=**")
    talk.wait_for_another_verdict(page, before[0])
    assert "claim=k2-phase-diagram" in page.url
    value = page.evaluate("() => new URL(location).searchParams.get('odds_first')")
    page.reload()
    expect(page.locator("marimo-slider", has_text="Odds after 0")).to_contain_text(value, timeout=SECONDS)
