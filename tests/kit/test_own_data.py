"""A person's own text: it is counted right, comes back with its exports, and its automaton can be taken along."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any

import networkx as nx
import numpy as np
import pytest
from safetensors.numpy import load

from benchmarks.own_data import zipf_text
from theory.core import catalog
from theory.next_token.structure import solve
from theory.shared.files.text import tokenise
from widgets.kit import cards, export, panel
from widgets.kit.page import Rested, Screen, Shown
from widgets.kit.render import RenderError
from widgets.kit.sources import PASTED, REFERENCE, Source
from widgets.next_token import own
from widgets.next_token import page as next_token
from widgets.next_token import sections as next_token_tests

LENGTH = 8
CONTENT = zipf_text(12_000, 1200)


def studied(content: bytes, source: str, form: str = "words") -> panel.Run:
    """The finished run of a text's study."""
    seen: list[panel.Run] = []
    panel.run_in_background("key", own.text_job(Source(content, source), form, LENGTH), seen.append)
    assert seen[-1].state == "done", seen[-1].message
    return seen[-1]


@pytest.fixture(scope="module")
def run() -> panel.Run:
    """The study of the synthetic text."""
    return studied(CONTENT, "my text.txt")


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """No browser: the pictures of an export are tested elsewhere."""

    def refuse(*_: object, **__: object) -> bytes:
        raise RenderError("not wanted here")

    monkeypatch.setattr(export.RENDERER, "render", refuse)


def test_every_window_and_word_is_counted(run: panel.Run) -> None:
    words = tokenise(CONTENT.decode(), "words")
    data = run.extra.data
    usable = sum(words[i + LENGTH] in words[i : i + LENGTH] for i in range(len(words) - LENGTH))
    assert data.total == len(words) - LENGTH
    assert data.training.vocab_size == len(set(words)) > 1000
    assert data.kept_fraction * data.total == pytest.approx(usable)
    assert data.training.n == round(0.8 * usable)
    assert data.held_out.n == usable - data.training.n - LENGTH
    found = run.extra.held_out
    assert found.judged == min(1500, data.held_out.n) == sum(found.certificates.values())
    assert 0 < found.automaton.right[0] < 1
    numbers = own.study_numbers(run.extra)
    assert f"{data.total:,}" in numbers
    assert f"{found.judged:,} held-out windows" in numbers


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("figure", ["text_windows", "automaton"])
def test_exports_give_the_text_back_with_its_hash(run: panel.Run, figure: str) -> None:
    screen = Screen()
    word = own.automaton_picker(run, None, lambda _: None)
    shown = own.study_figure(run, screen) if figure == "text_windows" else own.automaton_figure(run, word, screen)
    assert isinstance(shown, Shown)
    assert shown.name == figure
    with zipfile.ZipFile(io.BytesIO(cards.zipped(catalog.room("next_token"), None, shown))) as archive:
        assert archive.read("data/upload/my_text.txt") == CONTENT
        digest = hashlib.sha256(CONTENT).hexdigest()
        assert archive.read("data/upload/SHA256SUMS").decode() == f"{digest}  my_text.txt\n"
        assert digest in archive.read("figure.html").decode()


@pytest.mark.parametrize(
    ("source", "form", "name"),
    [(PASTED, "jsonl", "pasted_text.jsonl"), (REFERENCE, "words", "language_reference.txt")],
)
def test_data_that_were_no_file_get_a_name(source: str, form: str, name: str) -> None:
    rows = b'["tea", "cup", "tea"]\n' * 12 if form == "jsonl" else b"one two one three two one " * 12
    upload = studied(rows, source, form).extra.upload
    assert (upload.name, upload.content) == (name, rows)


def test_graph_files_of_a_text_are_read_back(run: panel.Run) -> None:
    prompts = run.extra.data.training
    last = int(np.bincount(prompts.last).argmax())
    graphml, node_link = next_token_tests.graph_files(prompts, last)
    from_json: Any = nx.node_link_graph(json.loads(node_link), edges="edges")
    from_xml: Any = nx.parse_graphml(graphml, node_type=int)
    column = solve(prompts).structure.column(last)
    for graph in (from_json, from_xml):
        assert graph.is_directed()
        assert graph.graph["last"] == prompts.name(last)
        assert len(graph) == column.n_seen > 10
        assert set(graph.edges) == {tuple(edge) for edge in column.reduced_edges.tolist()}
        for node, said in graph.nodes.items():
            members = column.members(node).tolist()
            assert said["tokens"] == " ".join(map(str, members))
            assert said["label"] == " ".join(prompts.name(token) for token in members)


def test_downloaded_weights_are_read_back() -> None:
    claim = catalog.claim(next_token.HOME)
    params: Any = catalog.parameters(claim, {"steps": 1000})
    problem: Any = catalog.room("next_token").draw(params, params.data_seed)
    seen: list[panel.Run] = []
    panel.run_in_background("key", next_token.job(claim, params, problem), seen.append)
    stored = load(next_token_tests.weights_file(Rested(seen[-1], params, problem)))
    assert set(stored) == {"embed", "weights", "head"}
    logits = stored["embed"] @ stored["weights"] @ stored["embed"].T
    np.testing.assert_allclose(logits, seen[-1].raw.logits.values[-1], rtol=1e-4, atol=1e-4)
