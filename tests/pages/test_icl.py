"""The room ``icl`` in a real browser: figures, sliders, presets, a person's own covariances and tasks, export."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.pages import talk
from tests.pages.talk import SECONDS, slider, traces

pytestmark = pytest.mark.slow

ROOM = "icl"


def test_opens_with_the_bowl_and_layers_that_land_in_it(page: Page) -> None:
    expect(page.locator(".bench-verdict")).to_contain_text("Holds")
    found = traces(page)
    best = np.array(found["best step (theory)"])[:, 0]
    layers = np.array(found["trained attention layers"])
    assert np.abs(layers - best[:, None]).max() < 0.2
    path = np.array(found["gradient descent (theory)"])
    assert np.allclose(path[:, 0], 0)
    assert np.allclose(path[:, -1], best, atol=1e-3)
    n, risk = found["exact (theory)"]
    points = found["attention (trained layers)"]
    line = np.interp(np.log(points[0]), np.log(n), risk)
    assert len(points[0]) >= 10
    assert np.abs(np.array(points[1]) / line - 1).max() < 0.25
    assert talk.fits(page)


def test_the_crossing_beyond_which_retrieval_hurts_is_shown(page: Page) -> None:
    page.get_by_role("button", name="Retrieval that hurts").click()
    page.wait_for_url("**preset=retrieval_hurts**")
    expect(page.locator("#play")).to_contain_text("retrieval hurts beyond n = 21.5", timeout=SECONDS)
    talk.expect_verdict(page)
    assert "floor (theory)" in traces(page)


def test_every_figure_of_the_tests_is_shown(page: Page) -> None:
    said = {
        "Retrieval, and where it hurts": "Retrieval hurts beyond",
        "The bowl and its curvatures": "condition number",
        "The staircase": "Descent over factors",
        "H3 and attention": "sample weights of H3",
        "Low rank and LoRA": "on the new tasks",
        "Which matrix did it learn?": "difference between trained and predicted",
        "Linear and softmax attention": "Risk of softmax",
        "Another length than in training": "Trained at 10 examples",
    }
    talk.expect_test_figures(page, said)


def test_presets_keep_and_break_the_assumptions(page: Page) -> None:
    page.get_by_role("button", name="Retrieval on a steep spectrum").click()
    page.wait_for_url("**preset=uneven_retrieval**")
    assert "claim=" not in page.url
    expect(page.locator(".bench-chip[data-holds=false]").first).to_be_visible(timeout=SECONDS)
    expect(page.locator(".bench-verdict")).to_contain_text("Outside", timeout=SECONDS)
    page.get_by_role("button", name="Reset", exact=True).click()
    page.wait_for_url(lambda url: "preset" not in url)


def tasks_file() -> bytes:
    generator = np.random.default_rng(0)
    lines = ["task,a,b,y"]
    for task in range(30):
        beta = generator.standard_normal(2)
        for x in generator.standard_normal((25, 2)):
            lines.append(f"{task},{x[0]:.5f},{x[1]:.5f},{x @ beta + 0.3 * generator.standard_normal():.5f}")
    return "\n".join(lines).encode()


def test_own_data_are_examined_and_bad_files_refused(page: Page) -> None:
    card = page.locator(".bench-card", has_text="Covariances or tasks of your own")
    expect(card).to_contain_text("Where LoRA should act", timeout=SECONDS)
    upload = card.locator("input[type=file]")
    upload.set_input_files({"name": "own.csv", "mimeType": "text/csv", "buffer": tasks_file()})
    expect(card).to_contain_text("30 tasks with 750 rows", timeout=SECONDS)
    expect(card).to_contain_text("Held out")
    with page.expect_download(timeout=SECONDS) as found:
        card.get_by_text("Directions", exact=True).click()
    rows = list(csv.DictReader(io.StringIO(found.value.path().read_text())))
    assert len(rows) == 2
    assert float(rows[0]["eigenvalue"]) >= float(rows[1]["eigenvalue"])
    upload.set_input_files({"name": "few.csv", "mimeType": "text/csv", "buffer": b"1,0.5\n0.2,1\n"})
    expect(card.get_by_role("alert")).to_contain_text("task_covariance[0, 1] is 0.5 and [1, 0] is 0.2", timeout=SECONDS)
    upload.set_input_files({"name": "noise.npz", "mimeType": "text/plain", "buffer": bytes(range(256)) * 8})
    expect(card.get_by_role("alert")).to_contain_text("not a NumPy archive", timeout=SECONDS)
    covariances = {"feature_covariance": [[1, 0], [0, 2]], "task_covariance": [[1, 0], [0, 0.1]]}
    content = json.dumps(covariances | {"new_task_covariance": [[0.1, 0], [0, 1]]}).encode()
    upload.set_input_files({"name": "own.json", "mimeType": "application/json", "buffer": content})
    expect(card).to_contain_text("risk on the new tasks", timeout=SECONDS)


def test_the_export_is_a_zip_with_figure_numbers_and_claim(page: Page) -> None:
    with page.expect_download(timeout=SECONDS) as found:
        page.locator(".bench-card", has_text="The same numbers elsewhere").get_by_text("talk picture").click()
    archive = zipfile.ZipFile(io.BytesIO(found.value.path().read_bytes()))
    names = set(archive.namelist())
    assert {"figure.html", "claim.json", "caption.txt", "citation.bib"} <= names
    claim = json.loads(archive.read("claim.json"))
    assert claim["claim"] == "icl-pgd-equivalence"
    assert b"li2024finegrained" in archive.read("citation.bib")


def test_a_slider_moved_by_keyboard_changes_figure_verdict_and_address(page: Page) -> None:
    before, judged = traces(page), page.locator(".bench-verdict").inner_text()
    slider(page, "Context length").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_url("**context_length=**")
    talk.wait_for_another_verdict(page, judged)
    assert traces(page) != before
    value = page.evaluate("() => new URL(location).searchParams.get('context_length')")
    page.reload()
    expect(page.locator("marimo-slider", has_text="Context length")).to_contain_text(value, timeout=SECONDS)
