"""The export: every file of the zip is read back by the program that a person would use."""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import time
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.kit.test_figures import case, figures
from theory.core import bench, catalog
from theory.core.bench import Result
from theory.core.store import session_store
from theory.next_token import views
from widgets.kit import render, theme
from widgets.kit.dataset_files import tidy
from widgets.kit.export import COLUMN_INCHES, PAGE_INCHES, Upload, export_zip
from widgets.kit.pictures import thumbnail
from widgets.kit.render import Renderer, RenderError
from widgets.kit.thumbnail import figure_svg

pytestmark = pytest.mark.slow

BUILDERS = (
    "talk rock_paper_scissors",
    "talk theory only",
    "correlation",
    "finite_part",
    "loss_gap",
    "playground",
    "extraction",
    "phase_map",
    "text_windows",
    "explorer",
)
SVG = "{http://www.w3.org/2000/svg}"


class NoPictures(Renderer):
    """A machine without a browser."""

    def render(self, *_: object, **__: object) -> bytes:
        raise RenderError("no browser was found")


@pytest.fixture(scope="module")
def renderer(browser_path: Path) -> Iterator[Renderer]:
    started = Renderer()
    yield started
    started.close()


@cache
def result() -> Result:
    claim = catalog.claim("sharp-logits")
    params = catalog.parameters(claim, {"steps": 3000, "data_seed": 5})
    return bench.check_claim(claim, params, 4, store=session_store())


def unzip(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def png_texts(png: bytes) -> Mapping[str, str]:
    at, texts = 8, {}
    while at < len(png):
        (size,), kind = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        if kind == b"iTXt":
            key, _, rest = png[at + 8 : at + 8 + size].partition(b"\0")
            texts[key.decode()] = rest[4:].decode()
        at += 12 + size
    return texts


def check_pictures(files: Mapping[str, bytes], width_inches: float, heat: bool = False) -> dict[str, Any]:
    """Read all pictures; returns the record that each of them carries."""
    svg = ElementTree.fromstring(files["figure.svg"])  # noqa: S314 - our own file
    assert float(svg.attrib["width"]) == pytest.approx(96 * width_inches, abs=1)
    assert svg.find(f"{SVG}desc") is not None
    # Plotly draws the cells of heat maps, and nothing else, as one picture.
    assert heat or not svg.findall(f".//{SVG}image")
    words = [element.text for element in svg.iter(f"{SVG}text") if element.text]
    assert words
    record = json.loads(svg.find(f"{SVG}metadata").text)
    pdf = files["figure.pdf"]
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    box = re.search(rb"MediaBox\s*\[\s*0 0 ([\d.]+)", pdf)
    assert box
    assert float(box[1]) == pytest.approx(72 * width_inches, abs=1)
    start = int(re.findall(rb"startxref\s+(\d+)", pdf)[-1])
    assert pdf[start : start + 4] == b"xref"
    number, place = re.match(rb"xref\n(\d+) 1\n(\d{10})", pdf[start:]).groups()
    item = pdf[int(place) :]
    assert item.startswith(number + b" 0 obj")
    assert (
        json.loads(bytes.fromhex(re.search(rb"/Keywords <FEFF(\w+)>", item)[1].decode()).decode("utf-16-be")) == record
    )
    png = files["figure.png"]
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">I", png[16:20])[0] == pytest.approx(300 * width_inches, abs=4)
    assert json.loads(png_texts(png)["theorem-bench"]) == record
    return record


def check_page(page: str) -> None:
    assert "plotly.js v" in page
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)\s*=\s*[\"']?(?:https?:)?//", page)
    assert re.search(r'role="img" aria-label="[^"]{30,}"', page)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILDERS)
def test_every_figure_exports(name: str, renderer: Renderer) -> None:
    width = COLUMN_INCHES if name == "loss_gap" else PAGE_INCHES
    room = catalog.room("next_token")
    content, notes = export_zip(None, figures(False)[name], room=room, width_inches=width, renderer=renderer)
    assert notes == ()
    files = unzip(content)
    heat = any(trace.type == "heatmap" for trace in figures(False)[name].data)
    assert check_pictures(files, width, heat)["paper"] == f"arXiv:{room.paper.arxiv}"
    check_page(files["figure.html"].decode())
    assert theme.figure_text(figures(False)[name]) in files["caption.txt"].decode()


@pytest.mark.slow
def test_export_of_a_check_can_be_cited_and_repeated(renderer: Renderer) -> None:
    found, shown = result(), case("rock_paper_scissors")
    data = {"curves": views.curves(shown.solution, shown.last, shown.raw)}
    content, notes = export_zip(
        found,
        figures(False)["talk rock_paper_scissors"],
        caption="Lines & points <here>.",
        data=data,
        renderer=renderer,
    )
    assert notes == ()
    files = unzip(content)
    record = check_pictures(files, PAGE_INCHES)
    claim = json.loads(files["claim.json"])
    assert claim["claim"] == record["claim"] == "sharp-logits"
    assert claim["params"]["data_seed"] == record["params"]["data_seed"] == 5
    assert claim["seeds"] == record["seeds"] == 4
    assert claim["verdict"]["status"] == found.verdict.status
    assert claim["packages"]["numpy"] == np.__version__
    assert record["command"] in files["reproduce.sh"].decode()
    assert "theory check sharp-logits --set steps=3000 --set data_seed=5" in files["reproduce.sh"].decode()
    assert files["citation.bib"].startswith(b"@inproceedings{")
    assert "Lines & points <here>." in files["caption.txt"].decode()
    assert "Lines &amp; points &lt;here&gt;." in files["figure.html"].decode()
    for name, dataset in {"curves": data["curves"], "prediction": found.prediction}.items():
        with xr.open_dataset(io.BytesIO(files[f"data/{name}.nc"]), engine="h5netcdf") as read:
            for variable in dataset.data_vars:
                np.testing.assert_array_equal(
                    read[variable].values.astype(dataset[variable].dtype), dataset[variable].values
                )
        table = pd.read_csv(io.BytesIO(files[f"data/{name}.csv"]))
        assert len(table) == sum(variable.size for variable in dataset.data_vars.values())
        assert set(table["variable"]) == set(dataset.data_vars)
    assert "data/measurement.nc" in files
    assert all(name in files["README.txt"].decode() for name in files if name != "README.txt")


def test_without_a_browser_the_rest_is_given_and_it_is_said() -> None:
    content, notes = export_zip(result(), figures(False)["loss_gap"], renderer=NoPictures())
    assert len(notes) == 1
    assert "SVG, PDF, PNG" in notes[0]
    files = unzip(content)
    assert not {"figure.svg", "figure.pdf", "figure.png"} & set(files)
    assert {"figure.html", "claim.json", "caption.txt", "citation.bib", "reproduce.sh"} <= set(files)
    assert notes[0] in files["README.txt"].decode()


def test_missing_browser_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import kaleido

    class ChromeNotFoundError(RuntimeError):
        pass

    def nowhere(**_: object) -> None:
        raise ChromeNotFoundError

    monkeypatch.setattr(kaleido, "Kaleido", nowhere)
    alone = Renderer()
    with pytest.raises(RenderError, match="no browser was found"):
        alone.render({"data": [], "layout": {}}, "svg", 100, 100)
    alone.close()


def test_a_browser_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    class Hanging:
        async def calc_fig(self, *_: object, **__: object) -> bytes:
            await asyncio.sleep(60)
            return b""

        async def close(self) -> None:
            await asyncio.sleep(60)

    monkeypatch.setattr(render, "FIRST_SECONDS", 0.2)
    monkeypatch.setattr(render, "CLOSE_SECONDS", 0.2)
    alone = Renderer()
    alone._browser = Hanging()
    started = time.monotonic()
    with pytest.raises(RenderError, match="did not draw the figure within"):
        alone.render({"data": [], "layout": {}}, "svg", 100, 100)
    assert time.monotonic() - started < 3
    alone.close()


def test_own_data_comes_back_with_its_hash() -> None:
    upload = Upload("../my text\u202e.txt", b"a b a c")
    files = unzip(export_zip(result(), figures(False)["playground"], upload=upload, renderer=NoPictures())[0])
    [name] = [name for name in files if name.startswith("data/upload/") and name != "data/upload/SHA256SUMS"]
    assert files[name] == upload.content
    assert ".." not in name
    assert files["data/upload/SHA256SUMS"].decode().split()[0] == hashlib.sha256(upload.content).hexdigest()


def test_tidy_tables_keep_numbers_and_coordinates() -> None:
    dataset = xr.Dataset(
        {"x": (("row", "column"), [[1.5, np.nan]], {"units": "nats"}), "n": 3, "name": ("column", ["a", "b"])},
        coords={"column": [10, 20]},
    )
    table = pd.read_csv(io.StringIO(tidy(dataset).to_csv(index=False)))
    assert table.columns.tolist() == ["variable", "row", "column", "value", "units"]
    assert table["value"].tolist()[2:] == ["3", "a", "b"]
    assert table["column"].tolist()[:2] == [10, 20]
    assert table["units"][0] == "nats"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_thumbnails_are_drawn_without_a_browser(dark: bool) -> None:
    svg = ElementTree.fromstring(thumbnail("next_token", result(), dark=dark))  # noqa: S314 - our own picture
    raw = result().shown.raw
    assert raw is not None
    circles = svg.findall(f"{SVG}circle")
    assert len(circles) >= 10
    assert svg.findall(f".//{SVG}path")
    assert len(svg.attrib["aria-label"]) > 30


def test_words_in_a_thumbnail_are_escaped() -> None:
    import plotly.graph_objects as go

    fig = go.Figure(layout={"xaxis": {"range": [0, 1]}, "yaxis": {"range": [0, 1]}})
    fig.add_annotation(x=0.5, y=0.5, text="<b>&lt;script&gt;</b>", showarrow=False)
    svg = figure_svg(fig, 'a "label" <b>')
    assert "<script>" not in svg
    assert [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")] == ["<script>"]  # noqa: S314
