"""One zip that a paper can be written from: the figure, its numbers, its claim, and the command that repeats it."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from theory.core import catalog
from theory.core.report import claim_document, reproduce_command, to_json
from theory.core.vocabulary import Room
from widgets.kit import embed, theme
from widgets.kit.dataset_files import netcdf, tidy
from widgets.kit.render import RENDERER, Format, Renderer, RenderError

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from xarray import Dataset

    from theory.core.bench import Result

LOGGER = logging.getLogger(__name__)
COLUMN_INCHES, PAGE_INCHES = 3.3, 6.75
PIXELS_PER_INCH = 96
PNG_DOTS_PER_INCH = 300
CSV_ROWS = 2_000_000
"""Longer tables are given as NetCDF only."""
_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="description" content="{alt}">
<style>body{{margin:0 auto;max-width:70rem;padding:2rem 1rem;background:#fff;color:#1f2430;
font:15px/1.5 system-ui,sans-serif}}h1{{font:600 1.6rem/1.2 Georgia,serif}}</style></head>
<body><h1>{title}</h1><div role="img" aria-label="{alt}">{figure}</div><p>{caption}</p>
<script type="application/json" id="theorem-bench">{record}</script></body></html>
"""


@dataclass(frozen=True)
class Upload:
    """A person's own file, as it was given."""

    name: str
    content: bytes


def export_zip(
    result: Result | None,
    figure: go.Figure,
    *,
    caption: str = "",
    data: Mapping[str, Dataset] | None = None,
    room: Room | None = None,
    upload: Upload | None = None,
    width_inches: float = PAGE_INCHES,
    renderer: Renderer = RENDERER,
) -> tuple[bytes, tuple[str, ...]]:
    """Everything about one figure as a zip, and a sentence for each thing that could not be given.

    The vector figure is ``width_inches`` wide with 8-9 pt type.

    Args:
        result: the check that the figure shows; None for a figure that belongs to no check (then give ``room``).
        figure: any figure of the bench, built with ``dark=False``.
        caption: what the page says below the figure.
        data: the Datasets that the figure draws, by name.
        upload: a person's own data, given back with its SHA-256.
        renderer: what turns figures into pictures.

    Raises:
        TypeError: neither ``result`` nor ``room`` is given.
    """
    home = room if result is None else catalog.room_of(result.claim)
    if home is None:
        raise TypeError("a figure without a result needs its room, for the citation")
    alt = theme.figure_text(figure)
    title = home.title if result is None else result.claim.title
    record = _record(result, home, upload)
    files: dict[str, bytes] = {}
    notes: list[str] = []
    files |= _pictures(figure, width_inches, (title, alt, record), renderer, notes)
    files["figure.html"] = _standalone(figure, title, alt, caption, record)
    tables = dict(data or {})
    if result is not None:
        tables["prediction"] = result.prediction
        if result.measurement is not None:
            tables["measurement"] = result.measurement
        files["claim.json"] = to_json(claim_document(result)).encode()
        files["reproduce.sh"] = _script(result, upload)
    for name, table in tables.items():
        files |= _table(f"data/{name}", table, record, notes)
    if upload is not None:
        files[f"data/upload/{_safe(upload.name)}"] = upload.content
        files["data/upload/SHA256SUMS"] = f"{_sha256(upload.content)}  {_safe(upload.name)}\n".encode()
    files["caption.txt"] = (_caption(result, home, caption, alt) + "\n").encode()
    files["citation.bib"] = (home.paper.bibtex.strip() + "\n").encode()
    files["README.txt"] = _readme(title, files, notes).encode()
    return _zipped(files), tuple(notes)


def _pictures(
    figure: go.Figure, width_inches: float, said: tuple[str, str, str], renderer: Renderer, notes: list[str]
) -> dict[str, bytes]:
    printed = theme.for_print(figure, width_inches)
    width, height = int(printed.layout.width), int(printed.layout.height or theme.PANEL_HEIGHT)
    plain = printed.to_plotly_json()
    wanted: tuple[tuple[Format, float, Any], ...] = (
        ("svg", 1.0, embed.into_svg),
        ("pdf", 1.0, embed.into_pdf),
        ("png", PNG_DOTS_PER_INCH / PIXELS_PER_INCH, embed.into_png),
    )
    files: dict[str, bytes] = {}
    try:
        for kind, scale, embedded in wanted:
            files[f"figure.{kind}"] = embedded(renderer.render(plain, kind, width, height, scale), *said)
    except RenderError as error:
        missing = ", ".join(kind.upper() for kind, *_ in wanted if f"figure.{kind}" not in files)
        LOGGER.warning("no %s in the export: %s", missing, error)
        notes.append(f"No {missing}: {error}. The page figure.html can save the figure as SVG from its toolbar.")
    return files


def _standalone(figure: go.Figure, title: str, alt: str, caption: str, record: str) -> bytes:
    import plotly.io as pio

    button = {"format": "svg", "filename": "figure"}
    drawn = pio.to_html(
        figure,
        include_plotlyjs=True,
        include_mathjax=False,
        full_html=False,
        config={"responsive": True, "displaylogo": False, "toImageButtonOptions": button},
    )
    texts = {"title": title, "alt": alt, "caption": caption}
    # "<" cannot occur inside a script element's text unescaped.
    escaped = {name: theme.escape(text).replace('"', "&quot;") for name, text in texts.items()}
    return _HTML.format(figure=drawn, record=record.replace("<", "\\u003c"), **escaped).encode()


def _table(path: str, dataset: Dataset, record: str, notes: list[str]) -> dict[str, bytes]:
    files = {f"{path}.nc": netcdf(dataset.assign_attrs(theorem_bench=record))}
    rows = sum(variable.size for variable in dataset.data_vars.values())
    if rows > CSV_ROWS:
        notes.append(f"{path}: {rows:,} values are given as NetCDF only.")
    else:
        files[f"{path}.csv"] = tidy(dataset).to_csv(index=False).encode()
    return files


def _record(result: Result | None, room: Room, upload: Upload | None) -> str:
    said: dict[str, Any] = {"room": room.id, "paper": f"arXiv:{room.paper.arxiv}"}
    if result is not None:
        document = claim_document(result)
        kept = ("claim", "params", "seeds", "device", "data", "packages")
        said |= {key: document[key] for key in kept} | {"verdict": result.verdict.status}
        said["command"] = reproduce_command(result)
    if upload is not None:
        said["upload_sha256"] = _sha256(upload.content)
    return to_json(said)


def _script(result: Result, upload: Upload | None) -> bytes:
    name = f"data/upload/{_safe(upload.name)}" if upload else "data.json"
    lines = [
        "#!/bin/sh",
        "# Repeats this check with Theorem Bench; a data hash that does not match ends with exit code 2.",
        'cd "$(dirname "$0")" || exit 70',
        reproduce_command(result, data_file=name),
    ]
    return ("\n".join(lines) + "\n").encode()


def _caption(result: Result | None, room: Room, caption: str, alt: str) -> str:
    parts = [caption or alt]
    if result is not None:
        parts.append(f"Claim: {result.claim.title} ({result.claim.source}). {result.verdict.explanation}")
        changed = json.dumps(result.params.changed(), ensure_ascii=False)
        seeds = f"{result.seeds} seeds" if result.seeds != 1 else "1 seed"
        parts.append(f"Data seed {getattr(result.params, 'data_seed', 0)}, {seeds}; parameters that differ: {changed}.")
    paper = room.paper
    parts.append(f"Theory: {paper.authors}, {paper.title}, arXiv:{paper.arxiv}.")
    return "\n".join(parts)


def _readme(title: str, files: Mapping[str, bytes], notes: list[str]) -> str:
    about = {
        "figure.svg": "the figure for a paper or slides (vector)",
        "figure.pdf": "the figure for a paper (vector)",
        "figure.png": f"the figure at {PNG_DOTS_PER_INCH} dots per inch",
        "figure.html": "the figure with zoom and hover, in one file that needs no network",
        "claim.json": "claim, parameters, seeds, data hash, verdict, package versions",
        "reproduce.sh": "the command that repeats the check",
        "caption.txt": "a caption with the numbers",
        "citation.bib": "the paper whose theory this is",
    }
    lines = [f"{name:14} {about[name]}" for name in about if name in files]
    lines += [f"{name:14} one row per value" if name.endswith(".csv") else name for name in files if "/" in name]
    return "\n".join([title, "", *lines, *(["", "Not included:", *notes] if notes else []), ""])


def _zipped(files: Mapping[str, bytes]) -> bytes:
    now = datetime.now(UTC).timetuple()[:6]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in files.items():
            item = zipfile.ZipInfo(name, date_time=now)
            item.compress_type = zipfile.ZIP_DEFLATED
            item.external_attr = (0o755 if name.endswith(".sh") else 0o644) << 16
            archive.writestr(item, content)
    return buffer.getvalue()


def _safe(name: str) -> str:
    kept = "".join(
        letter if letter.isalnum() or letter in "._-" else "_" for letter in name.replace("\\", "/").split("/")[-1]
    )
    return kept.lstrip(".")[:80] or "data"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
