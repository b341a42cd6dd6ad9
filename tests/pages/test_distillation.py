"""The room ``distillation`` in a real browser: figures, sliders, presets, a person's own features, networks, export."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.pages import talk
from tests.pages.talk import SECONDS

pytestmark = pytest.mark.slow

ROOM = "distillation"


def test_opens_with_theory_and_students_trained_on_sampled_data(page: Page) -> None:
    expect(page.locator(".bench-verdict")).to_contain_text("Holds")
    found = talk.traces(page)
    theory, points = found["best teacher (theory)"], found["best teacher (trained students)"]
    assert len(points[0]) >= 8
    line = np.exp(np.interp(np.log(points[0]), np.log(theory[0]), np.log(theory[1])))
    assert np.abs(np.array(points[1]) / line - 1).max() < 0.2
    assert "best factor, measured" in found
    assert talk.fits(page)


def test_the_measured_curve_follows_the_noise_without_new_fits(page: Page) -> None:
    name = "true labels (trained students)"
    before = talk.traces(page)[name]
    talk.slider(page, "Label noise").focus()
    page.keyboard.press("PageUp")
    page.wait_for_url("**noise_variance_target=**")
    after = talk.changed_trace(page, name, before)
    assert after[0] == before[0]
    assert all(now > then for now, then in zip(after[1], before[1], strict=True))


def test_presets_keep_and_break_the_assumptions(page: Page) -> None:
    page.get_by_role("button", name="Nothing to gain", exact=True).click()
    page.wait_for_url("**preset=isotropic**")
    expect(page.locator("#play")).to_contain_text("nothing gained", timeout=SECONDS)
    page.get_by_role("button", name="Two effective samples").click()
    page.wait_for_url("**preset=few_free**")
    expect(page.locator(".bench-chip[data-holds=false]").first).to_be_visible(timeout=SECONDS)
    expect(page.locator(".bench-verdict")).to_contain_text("Outside", timeout=SECONDS)
    page.get_by_role("button", name="Reset", exact=True).click()
    page.wait_for_url(lambda url: "preset" not in url)


def test_every_figure_of_the_tests_is_shown(page: Page) -> None:
    said = {"How much can be gained": "spectrum exponents", "A fitted teacher": "fitted teacher", "Exponents": "slopes"}
    talk.expect_test_figures(page, said)


def test_the_table_of_the_paper_is_filled_in(page: Page) -> None:
    card = page.locator(".bench-card", has_text="The setting of the paper's first figure")
    expect(card.locator("tr")).to_have_count(8, timeout=SECONDS)
    expect(card).to_contain_text("0.1194 / 0.1")


def test_own_features_are_examined_and_bad_files_refused(page: Page) -> None:
    card = page.locator(".bench-card", has_text="Features of your own")
    expect(card).to_contain_text("What the best teacher does", timeout=SECONDS)
    upload = card.locator("input[type=file]")
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((300, 12)) / np.arange(1, 13)
    table = "\n".join(",".join(f"{value:.6f}" for value in row) for row in rows)
    head = ",".join(["<b>first</b>", *(f"c{k}" for k in range(1, 12))])
    upload.set_input_files({"name": "own.csv", "mimeType": "text/csv", "buffer": f"{head}\n{table}\n".encode()})
    expect(card).to_contain_text("rows 300", timeout=SECONDS)
    expect(card).to_contain_text("No labels: the truth is made up")
    with page.expect_download(timeout=SECONDS) as found:
        card.get_by_text("All directions").click()
    advice = list(csv.DictReader(io.StringIO(found.value.path().read_text())))
    assert len(advice) == 12
    assert advice[0]["column"] == "<b>first</b>"
    assert {item["action"] for item in advice} <= {"amplify", "keep", "shrink", "drop"}
    upload.set_input_files({"name": "few.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n3,4\n"})
    expect(card.get_by_role("alert")).to_contain_text("too_few_rows", timeout=SECONDS)
    upload.set_input_files({"name": "noise.npz", "mimeType": "text/plain", "buffer": bytes(range(256)) * 8})
    expect(card.get_by_role("alert")).to_contain_text("upload_binary", timeout=SECONDS)


def test_the_export_is_a_zip_with_figure_numbers_and_claim(page: Page) -> None:
    with page.expect_download(timeout=SECONDS) as found:
        page.locator(".bench-card", has_text="The same numbers elsewhere").get_by_text("talk picture").click()
    archive = zipfile.ZipFile(io.BytesIO(found.value.path().read_bytes()))
    names = set(archive.namelist())
    assert {"figure.html", "claim.json", "caption.txt", "citation.bib", "data/curves.csv"} <= names
    claim = json.loads(archive.read("claim.json"))
    assert claim["claim"] == "omniscient-risk"
    rows = list(csv.DictReader(io.StringIO(archive.read("data/curves.csv").decode())))
    [now] = [float(row["value"]) for row in rows if row["variable"] == "now" and row["arm"] == "strong"]
    assert abs(now - 0.1194) < 1e-3
    assert b"ildiz2025distillation" in archive.read("citation.bib")


def test_a_slider_moved_by_keyboard_changes_figure_verdict_and_address(page: Page) -> None:
    before, judged = talk.traces(page), page.locator(".bench-verdict").inner_text()
    talk.slider(page, "Samples n").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.wait_for_url("**n_samples=**")
    talk.wait_for_another_verdict(page, judged)
    after = talk.traces(page)
    assert after["here"][0][0] < before["here"][0][0]
    assert after["best teacher (factor)"][1] != before["best teacher (factor)"][1]
    assert after["best teacher (theory)"] == before["best teacher (theory)"]
    value = page.evaluate("() => new URL(location).searchParams.get('n_samples')")
    page.reload()
    expect(page.locator("marimo-slider", has_text="Samples n")).to_contain_text(value, timeout=SECONDS)
