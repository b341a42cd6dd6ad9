"""Every figure of the room ``ccmc`` on real predictions and real runs, in both templates, wide and narrow."""

from __future__ import annotations

import json
from functools import cache
from html import unescape
from xml.etree import ElementTree

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
import pytest
from xarray import Dataset

from theory.ccmc import views
from theory.ccmc.data import draw
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.ccmc.simulation.sampling import simulate
from widgets.ccmc import figures as ccmc
from widgets.ccmc.growth import LONGEST_NAME, joined, short, token_hues
from widgets.ccmc.simplex import placed
from widgets.ccmc.transitions import compact
from widgets.kit import theme
from widgets.kit.colour import contrast
from widgets.kit.thumbnail import figure_svg

RUNS, TOKENS = 20, 2000
TWO_WINNERS = ((0.3, 0.5, 0.15, 0.05), (0.55, 0.2, 0.15, 0.1), (0.2, 0.2, 0.5, 0.1), (0.3, 0.3, 0.3, 0.1))
CHAINS: dict[str, dict[str, object]] = {
    "bistable": {},
    "mixed": {"odds_first": 0.2, "odds_second": 0.3},
    "ring": {"chain": "circulant"},
    "three": {"transition": ((0.6, 0.25, 0.15), (0.3, 0.55, 0.15), (0.2, 0.3, 0.5))},
    "tie": {"chain": "uniform"},
    "two winners": {"transition": TWO_WINNERS},
    "zeros": {"transition": ((0.5, 0.5, 0.0, 0.0), (0.0, 0.5, 0.5, 0.0), (0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 0.0, 0.5))},
    "twelve": {"chain": "random", "vocab_size": 12, "token_names": tuple(f"<b>name {k}</b>" for k in range(12))},
}


@cache
def case(name: str) -> tuple[Chain, Dataset]:
    chain = draw(Params(**CHAINS[name]), 3)  # type: ignore[arg-type]
    text = simulate(chain.transition, chain.prompt, TOKENS, [(0, r) for r in range(RUNS)], transitions_counted=True)
    data = {
        "counts": (("replicate", "time", "token"), text.counts),
        "moves": (("replicate", "time", "last", "token"), text.moves),
    }
    return chain, Dataset(data, coords={"time": text.times})


@cache
def data(name: str) -> tuple[Dataset, Dataset]:
    chain, raw = case(name)
    return views.structure(chain, raw), views.growth(chain, raw)


def talk(name: str, dark: bool = False, narrow: bool = False) -> go.Figure:
    structure, growth = data(name)
    return ccmc.talk_picture(structure, growth, dark=dark, narrow=narrow)


def errors(blow_up: bool = True) -> Dataset:
    generator = np.random.default_rng(0)
    n = [100, 1000, 10_000, 100_000]
    finite = np.ones((4, 30), dtype=bool)
    finite[0, : 12 if blow_up else 0] = False
    error = generator.gamma(20, 12.0, size=(4, 30)) / np.array(n)[:, None] * np.array([[9.0], [1.2], [1.0], [1.0]])
    risk = generator.gamma(6, 1.0, size=(4, 30)) / np.array(n)[:, None]
    columns = {"squared_error": error, "kl": risk, "exists": finite}
    raws = [Dataset({name: ("replicate", column[row]) for name, column in columns.items()}) for row in range(4)]
    return views.learning_error(n, raws, case("bistable")[0]).assign(trace=240.0, rank=12)


@cache
def figures(dark: bool, narrow: bool) -> dict[str, go.Figure]:
    look = {"dark": dark, "narrow": narrow}
    two, _ = case("bistable")
    islands = draw(Params(chain="random", vocab_size=5, unseen_pairs=3, islands=2, include_self="no"), 0)
    many = draw(Params(chain="random", vocab_size=12, unseen_pairs=5), 0)
    now = {"output_temperature": 2.0, "attention_temperature": 1.0}
    generator = np.random.default_rng(0)
    won = Dataset({"share": (("count", "replicate"), generator.random((3, 8)))}, coords={"count": [1, 2, 4]})
    tried = Dataset({"top_share": (("replicate", "cure", "point"), generator.uniform(0.5, 1, (2, 4, 9)))})
    return {f"talk {name}": talk(name, dark, narrow) for name in CHAINS} | {
        "talk theory": ccmc.talk_picture(views.structure(two), views.growth(two), **look),
        "talk cured": ccmc.talk_picture(views.structure(two), views.growth(*case("bistable"), plain=False), **look),
        "simplex": ccmc.simplex(views.flow(*case("three")), **look),
        "simplex theory": ccmc.simplex(views.flow(case("ring")[0]), **look),
        "winner_probability": ccmc.winner_probability(views.winner_probability(two, won), **look),
        "winner_probability theory": ccmc.winner_probability(views.winner_probability(two), **look),
        "learning_error": ccmc.learning_error(errors(), **look),
        "learning_error clean": ccmc.learning_error(errors(blow_up=False), **look),
        "coverage": ccmc.coverage_graphs(views.coverage(islands), **look),
        "coverage twelve": ccmc.coverage_graphs(views.coverage(many), **look),
        "transitions": ccmc.transition_exponents(views.transition_exponents(*case("two winners")), **look),
        "transitions theory": ccmc.transition_exponents(views.transition_exponents(case("twelve")[0]), **look),
        "cures": ccmc.cures(views.cures(two, now, tried), **look),
        "cures theory": ccmc.cures(views.cures(two, {}), **look),
    }


NAMES = (*(f"talk {name}" for name in CHAINS), "talk theory", "talk cured", "simplex", "simplex theory")
NAMES += ("winner_probability", "winner_probability theory", "learning_error", "learning_error clean", "coverage")
NAMES += ("coverage twelve", "transitions", "transitions theory", "cures", "cures theory")


def text_of(fig: go.Figure) -> list[str]:
    written = [str(note.text) for note in fig.layout.annotations]
    return written + [
        str(word) for trace in fig.data if trace.type == "scatter" and trace.mode == "text" for word in trace.text
    ]


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_every_figure_keeps_the_house_rules(name: str, dark: bool, narrow: bool) -> None:
    fig = figures(dark, narrow)[name]
    go.Figure(fig.to_plotly_json())  # drawings skip Plotly's checks, this one does not
    assert len(theme.figure_text(fig)) > 30
    assert "nan" not in theme.figure_text(fig)
    assert fig.layout.uirevision
    assert fig.layout.width is None
    assert fig.layout.template == pio.templates[theme.template(dark)]
    drawn = [trace for trace in fig.data if trace.type == "scatter" and trace.mode == "markers"]
    assert sum(len(trace.x) for trace in drawn) <= theme.MAX_MARKERS
    for trace in fig.data:
        assert trace.type in ("heatmap", "bar") or trace.mode in ("lines", "markers", "text")
        assert len(trace.x)
    assert not any("nan" in text or "<b>name" in text for text in text_of(fig))
    json.loads(pio.to_json(fig))


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("talk")])
def test_the_talk_picture_is_cheap_to_redraw(name: str) -> None:
    fig = figures(False, False)[name]
    assert len(fig.data) <= 45
    assert not fig.layout.annotations
    assert fig.layout.xaxis.automargin is False
    assert fig.layout.yaxis2.automargin is False
    assert len(pio.to_json(fig)) < 120_000


@pytest.mark.parametrize("name", CHAINS)
def test_names_at_the_ends_do_not_overlap(name: str) -> None:
    fig = talk(name)
    written = list(fig.select_traces({"type": "scatter", "mode": "text", "yaxis": "y2"}))
    low, high = fig.layout.yaxis2.range
    heights = np.sort([np.log10(value) for trace in written for value in trace.y]) / (high - low) * theme.PANEL_HEIGHT
    assert (np.diff(heights) > 14).all()
    words = [unescape(word).strip() for trace in written for word in trace.text]
    assert all(theme.text_width(word) <= fig.layout.margin.r for word in words)


def test_theory_is_dashed_and_runs_are_thin() -> None:
    fig = talk("bistable")
    lines = [trace for trace in fig.data if trace.type == "scatter" and trace.mode == "lines"]
    theory = [trace for trace in lines if "theory" in trace.name]
    runs = [trace for trace in lines if "runs" in trace.name]
    assert len(theory) == 2
    assert all(trace.line.dash == "dash" for trace in theory)
    assert all(trace.line.width < theory[0].line.width and trace.line.dash is None for trace in runs)


def test_a_token_that_was_never_seen_leaves_a_gap() -> None:
    structure, growth = data("bistable")
    share = growth.share.values.copy()
    share[:3, :5, 1] = 0.0
    fig = ccmc.talk_picture(structure, growth.assign(share=(growth.share.dims, share)))
    json.loads(pio.to_json(fig))
    values = np.concatenate([np.asarray(t.y, float) for t in fig.data if t.mode == "lines" and t.yaxis == "y2"])
    assert (values[np.isfinite(values)] > 0).all()


def test_curves_joined_in_one_trace_are_apart() -> None:
    x, y = joined(np.arange(6.0).reshape(2, 3), np.ones((2, 3)))
    assert np.isnan(x[[3, 7]]).all()
    assert np.isnan(y[[3, 7]]).all()
    assert len(x) == 8


def test_colours_differ_and_can_be_read() -> None:
    for dark in (False, True):
        paper = theme.palette(dark).paper
        assert token_hues(3, dark) == token_hues(12, dark)[:3]
        assert len(set(token_hues(12, dark))) == 12
        # Two tokens are told apart by their lightness alone, in every kind of colour vision.
        assert contrast(*token_hues(2, dark)) > (1.25 if dark else 2)
        assert all(contrast(theme.readable(hue, paper), paper) >= 4.5 for hue in token_hues(12, dark))


def test_open_and_filled_fixed_points() -> None:
    flow = views.flow(*case("three"))
    fig = ccmc.simplex(flow)
    [points] = [trace for trace in fig.data if trace.mode == "markers"]
    filled = [colour == theme.palette(False).ink for colour in points.marker.color]
    assert filled == flow.stable.values.tolist()
    assert np.allclose(np.column_stack([points.x, points.y]), placed(flow.fixed.values))


def test_basins_cover_the_triangle_once() -> None:
    fig = ccmc.simplex(views.flow(*case("three")))
    area = 0.0
    for trace in fig.data:
        if trace.fill == "toself":
            ends = np.flatnonzero(np.isnan(trace.x))
            for start, stop in zip([0, *(ends[:-1] + 1)], ends, strict=True):
                x, y = np.asarray(trace.x[start:stop], float), np.asarray(trace.y[start:stop], float)
                area += abs((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) / 2
    assert np.isclose(area, np.sqrt(3) / 4, rtol=1e-4)


def test_a_mean_beyond_the_panel_becomes_an_arrow_that_tells_its_value() -> None:
    fig = ccmc.learning_error(errors())
    dots = next(trace for trace in fig.data if trace.mode == "markers")
    assert "triangle-up" in dots.marker.symbol
    assert max(dots.y) <= fig.layout.yaxis.range[1]
    assert dots.customdata[:, 2].max() > max(dots.y)
    assert any("no finite estimate" in text or "no finite" in text for text in text_of(fig))
    clean = ccmc.learning_error(errors(blow_up=False))
    assert not clean.layout.shapes


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_generated_text_folds_repetition_and_escapes_names(dark: bool) -> None:
    chain = draw(Params(odds_first=20, odds_second=0.05, token_names=("<script>", "a word that is long")), 0)
    pieces = views.generated_text(chain, {"No cure": {}, "Cap": {"count_cap": 3}}, starts=(0, 500), length=60)
    html = ccmc.generated_text(pieces, dark=dark)
    assert "<script>" not in html
    assert "×" in html
    ElementTree.fromstring(html)  # noqa: S314 - our own markup
    assert ccmc.generated_text(pieces, narrow=True).count("minmax") == 1


@pytest.mark.parametrize("name", ["bistable", "three", "twelve"])
def test_thumbnails_draw_every_kind_of_structure(name: str) -> None:
    svg = ElementTree.fromstring(figure_svg(talk(name), "shares"))  # noqa: S314 - our own picture
    assert "nan" not in ElementTree.tostring(svg, encoding="unicode")
    paths = list(svg.iter("{http://www.w3.org/2000/svg}path"))
    assert len(paths) > 3
    filled = {path.get("fill") for path in paths} - {"none", None}
    assert bool(filled) == (name == "three")
    assert bool(list(svg.iter("{http://www.w3.org/2000/svg}rect"))) == (name != "three")


def test_short_words() -> None:
    assert len(short("x" * 40)) == LONGEST_NAME
    assert [compact(value) for value in (float("nan"), 0, 9.96, 431, 25_300, 1e12)] == [
        "–",
        "0",
        "10",
        "431",
        "25k",
        "10¹²",
    ]
