"""Every figure builder on real predictions and a real training run, in both templates."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from html import unescape
from types import SimpleNamespace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
import pytest
from xarray import Dataset

from theory.core.errors import DataError
from theory.core.judge import judge
from theory.core.vocabulary import Assumption, Check
from theory.next_token import generators, views
from theory.next_token.problem import Prompts, make_prompts
from theory.next_token.simulation import surveys, trends
from theory.next_token.simulation.descent import descend
from theory.next_token.structure import Solution, solve
from widgets.kit import live, ruler, theme
from widgets.kit.colour import contrast
from widgets.next_token import figures as next_token
from widgets.next_token.layered import Item, first_angle, place

STEPS = 3000
PRESETS: dict[str, Callable[[], Prompts]] = {
    "rock_paper_scissors": generators.rock_paper_scissors,
    "undecided_voter": generators.undecided_voter,
    "slow_tie": generators.slow_tie,
    "one_contradiction": lambda: generators.one_contradiction(2),
    "ranked_noise": lambda: generators.ranked_noise(6, 12, 4, 0.3, 2, 2),
    "wide": lambda: generators.ranked_noise(40, 60, 5, 0.1, 1, 5),
}


@dataclass(frozen=True)
class Case:
    solution: Solution
    last: int
    raw: Dataset


@cache
def case(name: str) -> Case:
    prompts = PRESETS[name]()
    steps = np.unique(np.geomspace(1, STEPS, 25).astype(int))
    run = descend([prompts], STEPS, 1.0, checkpoints=steps)[0]
    kept = run.steps > 0
    raw = Dataset(
        {
            "logits": (("step", "token", "last"), run.logits[kept]),
            "loss": ("step", run.loss[kept]),
            "log_time": ("step", run.log_time[kept]),
        },
        coords={"step": run.steps[kept]},
        attrs={"step_size": run.eta},
    )
    return Case(solve(prompts), int(np.bincount(prompts.last).argmax()), raw)


def talk(name: str, dark: bool = False, narrow: bool = False) -> go.Figure:
    c = case(name)
    anatomy, curves = views.anatomy(c.solution, c.last), views.curves(c.solution, c.last, c.raw)
    return next_token.talk_picture(anatomy, curves, dark=dark, narrow=narrow)


@cache
def figures(dark: bool) -> dict[str, go.Figure]:
    c = case("rock_paper_scissors")
    several = [case(name) for name in ("rock_paper_scissors", "one_contradiction", "ranked_noise")]
    steps = np.unique(np.geomspace(1, STEPS, 25).astype(int))
    solutions, raws = [s.solution for s in several], [s.raw.sel(step=steps) for s in several]
    anatomy, curves = views.anatomy(c.solution, c.last), views.curves(c.solution, c.last, c.raw)
    stream = np.random.default_rng(0).integers(20, size=3000)
    survey = surveys.phase_map(flips=(0.0, 0.3), n_prompts=(5, 20), seeds=40)
    built = {f"talk {name}": talk(name, dark) for name in PRESETS}
    return built | {
        "talk narrow": talk("rock_paper_scissors", dark, narrow=True),
        "talk theory only": next_token.talk_picture(anatomy, views.curves(c.solution, c.last), dark=dark),
        "thumbnail": next_token.thumbnail(anatomy, curves, dark=dark),
        "correlation": next_token.correlation(trends.correlation(solutions, raws), dark=dark),
        "finite_part": next_token.finite_part(trends.finite_part(solutions, raws), dark=dark),
        "loss_gap": next_token.loss_gap(trends.loss_gap(solutions, raws), dark=dark),
        "loss_gap single": next_token.loss_gap(trends.loss_gap(solutions[:1], raws[:1]), dark=dark),
        "playground": next_token.playground_bars(
            views.playground(c.solution, [0, 1, 1, 3, c.last], c.raw.logits.values[-1]), dark=dark
        ),
        "extraction": next_token.extraction_heatmap(views.extraction(c.solution, c.last, c.raw), dark=dark),
        "phase_map": next_token.phase_map(survey, dark=dark),
        "text_windows": next_token.text_windows(surveys.text_windows(stream, 20, (2, 4, 8)), dark=dark),
        "explorer": next_token.condensation_explorer(views.anatomy(case("wide").solution, case("wide").last, 12), dark),
    }


NAMES = (*(f"talk {name}" for name in PRESETS), "talk narrow", "talk theory only", "thumbnail", "correlation")
NAMES += ("finite_part", "loss_gap", "loss_gap single", "playground", "extraction", "phase_map", "text_windows")
NAMES += ("explorer",)


def numbers(trace: go.Scatter | go.Bar | go.Heatmap) -> np.ndarray:
    """What a trace draws: its colours, or the coordinate that is a number rather than a name."""
    if trace.type == "heatmap":
        return np.asarray(trace.z, dtype=float)
    return np.asarray(trace.x if isinstance(trace.y[0], str) else trace.y, dtype=float)


def markers(fig: go.Figure) -> list[go.Scatter]:
    return [trace for trace in fig.data if trace.type == "scatter" and trace.mode == "markers"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_every_figure_keeps_the_house_rules(name: str, dark: bool) -> None:
    fig = figures(dark)[name]
    assert len(theme.figure_text(fig)) > 30
    assert "nan" not in theme.figure_text(fig)
    assert fig.layout.uirevision
    assert fig.layout.width is None
    assert fig.layout.template == pio.templates[theme.template(dark)]
    assert sum(len(trace.x) for trace in markers(fig)) <= theme.MAX_MARKERS
    for trace in fig.data:
        if trace.name != "read wrongly":
            assert np.isfinite(numbers(trace)).any()
        assert trace.type in ("heatmap", "bar") or trace.mode in ("lines", "markers")
    json.loads(pio.to_json(fig))


@pytest.mark.parametrize("name", ["talk rock_paper_scissors", "correlation", "finite_part", "loss_gap", "playground"])
def test_theory_is_a_line_and_measurement_a_point(name: str) -> None:
    fig = figures(False)[name]
    words = [(trace, trace.hovertemplate or "") for trace in fig.data]
    assert any("predicted" in text and "measured" not in text for _, text in words)
    for trace, text in words:
        if ("measured" in text or "trained" in text) and trace.name != "components":
            assert trace.mode == "markers"
        elif "predicted" in text and trace.type == "scatter":
            assert trace.mode == "lines"


def test_points_of_several_instances_have_error_bars() -> None:
    bars = [trace.error_y for trace in markers(figures(False)["correlation"])]
    assert bars
    assert all(bar.visible and max(bar.array) > 0 for bar in bars)


@pytest.mark.parametrize("name", PRESETS)
def test_predicted_lines_meet_the_last_points(name: str) -> None:
    c = case(name)
    curves = views.curves(c.solution, c.last, c.raw)
    tolerance = 1e-9 if curves.attrs["anchored"] and c.solution.degenerate[c.last] else 0.6
    assert np.abs(curves.measured - curves.predicted_at_step).values[:, -1].max() < tolerance


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_figures_that_follow_a_slider_are_made_of_what_the_page_draws(name: str, dark: bool) -> None:
    fig = figures(dark)[name]
    assert live.is_live(fig) == name.startswith("talk")
    if live.is_live(fig):
        assert not live.unknown(fig)


def test_the_page_receives_the_figure_as_plain_numbers() -> None:
    fig = talk("rock_paper_scissors")
    element = live.html(fig)
    assert re.fullmatch(r"<bench-figure [^<>]*></bench-figure>", element)
    found = re.search(r"data-figure='([^']*)'", element)
    assert found is not None
    sent = json.loads(unescape(found[1]), parse_constant=pytest.fail)
    assert len(sent["data"]) == len(fig.data)
    for trace, drawn in zip(sent["data"], fig.data, strict=True):
        got, true = np.array(trace["y"], dtype=float), np.asarray(drawn.y, dtype=float)
        assert np.allclose(got, true, rtol=0, atol=1e-5 * max(1.0, np.nanmax(np.abs(true))), equal_nan=True)
    assert sent["layout"]["axes"].keys() == {"x", "y", "x2", "y2"}


def test_the_element_names_what_it_does_not_draw() -> None:
    fig = go.Figure(talk("rock_paper_scissors"))
    fig.add_pie(values=[1])
    fig.update_xaxes(type="category")
    assert {"pie None", "values", "xaxis without range"} <= live.unknown(fig)


def test_weights_of_a_component_sum_to_one_and_levels_descend() -> None:
    c = case("rock_paper_scissors")
    anatomy = views.anatomy(c.solution, c.last)
    assert np.allclose(np.bincount(anatomy.member, anatomy.weight), 1)
    assert (np.diff(anatomy.level) <= 1e-12).all()
    assert anatomy["size"].values.tolist() == [3, 1, 1, 1, 1]
    assert (anatomy.level.values[anatomy.upper] - anatomy.level.values[anatomy.lower] >= 1 - 1e-9).all()


def test_extraction_reads_every_comparable_pair() -> None:
    c = case("rock_paper_scissors")
    data = views.extraction(c.solution, c.last, c.raw)
    difference, relation = data.difference.values, data.relation.values
    read = np.where(np.abs(difference) < 0.5, 0, np.sign(difference))
    assert (read == relation)[np.isfinite(relation)].all()


def test_one_token_has_one_colour_in_all_panels_and_figures() -> None:
    colours = theme.token_colours(6)
    assert colours == theme.token_colours(40)[:6]
    fig = talk("rock_paper_scissors")
    lines = {trace.name.split(" ")[0]: trace.line.color for trace in fig.data if trace.mode == "lines"}
    fills = {shape.fillcolor for shape in fig.layout.shapes}
    assert set(lines.values()) == fills
    assert len(fills) == len(lines)


def test_views_refuse_what_they_cannot_show() -> None:
    c = case("undecided_voter")
    with pytest.raises(DataError, match="no data for this last token"):
        views.anatomy(c.solution, 0)
    with pytest.raises(DataError, match="no recorded run"):
        trends.correlation([c.solution], [c.raw.assign_attrs(not_run="diverged")])
    with pytest.raises(DataError, match="shortest window"):
        surveys.text_windows(np.zeros(2, dtype=np.int64), 1, (4,))


def test_names_from_outside_are_escaped() -> None:
    prompts = make_prompts([[0, 1], [0, 1]], [0, 0], names=("<b>bold</b>", "k"))
    solution = solve(prompts)
    anatomy = views.anatomy(solution, 1)
    for fig in (
        next_token.talk_picture(anatomy, views.curves(solution, 1)),
        next_token.condensation_explorer(anatomy),
        next_token.playground_bars(views.playground(solution, [0, 1])),
    ):
        texts = [str(annotation.text) for annotation in fig.layout.annotations]
        texts += [str(value) for trace in fig.data for value in (trace.text if trace.text is not None else ())]
        assert any("&lt;b&gt;" in text for text in [*texts, pio.to_json(fig)])
        assert not any("<b>bold" in text for text in texts)


def test_end_labels_keep_their_distance_and_order() -> None:
    values = [0.0, 0.01, 0.02, 5.0]
    labels = theme.end_labels(values, list("abcd"), ["#000000"] * 4, (-1.0, 6.0), height=200)
    heights = [label.value * 200 / 7 + label.shift for label in labels]
    assert [label.text for label in labels] == ["d", "c", "b", "a"]
    assert min(-np.diff(heights)) >= 15 - 1e-9
    crowded = theme.end_labels(list(range(40)), [str(i) for i in range(40)], ["#000000"] * 40, (0, 39), height=150)
    assert len(crowded) == 10
    assert any("+" in label.text for label in crowded)


def test_text_on_the_page_can_be_read() -> None:
    for dark in (False, True):
        colours = theme.palette(dark)
        for text in (colours.ink, colours.muted):
            assert contrast(text, colours.paper) >= 4.5
        for hue in theme.token_colours(40, dark):
            assert contrast(theme.readable(hue, colours.paper), colours.paper) >= 4.5


def test_print_variant_is_white_vector_and_as_wide_as_a_column() -> None:
    fig = go.Figure(figures(False)["talk rock_paper_scissors"])
    fig.add_trace(go.Scattergl(x=[0, 1], y=[0, 1], mode="markers"))
    column, page = theme.for_print(fig, 3.3), theme.for_print(fig, 6.75)
    assert (column.layout.width, page.layout.width) == (317, 648)
    assert column.layout.height > page.layout.height
    for copy in (column, page):
        assert copy.layout.paper_bgcolor == "#ffffff"
        assert {trace.type for trace in copy.data} == {"scatter"}
        sizes = [annotation.font.size for annotation in copy.layout.annotations if annotation.text]
        assert all(8 <= size * 0.75 <= 9 for size in [*sizes, copy.layout.font.size])
    assert fig.layout.width is None


def test_placed_components_do_not_overlap() -> None:
    items = [Item((i,), (i,), level, 14, 17, 50, crowd=False) for i, level in enumerate([1.0, 0.0, 0.0, -1.0])]
    places = place(items, [20, 160, 160, 300], [(0, 1), (0, 2), (1, 3), (2, 3)])
    assert abs(places[1] - places[2]) >= 67
    assert abs(np.mean(places[1:3])) < 10


def test_ring_names_stay_clear_of_arrows() -> None:
    start = first_angle([1 / 3, 1 / 3, 1 / 3], above=True, below=True)
    middles = np.array([start - 2 * np.pi * (i + 0.5) / 3 for i in range(3)])
    assert np.abs(np.sin(middles)).max() < np.sin(np.pi / 2 - 0.4)


RIVALS = {"without f": 0.18, "counts ignored": 0.19, "slope halved": 0.2, "a very long name of a wrong formula": 1.1}


@pytest.mark.parametrize("allowance", [(-0.05, 0.05), (-np.inf, 0.05), (0.0, 0.0), (0.01, np.inf)])
@pytest.mark.parametrize("deviation", [0.0, 0.0015, -0.02, 3.0])
def test_ruler_labels_do_not_overlap(deviation: float, allowance: tuple[float, float]) -> None:
    svg = ruler.draw(deviation, allowance, 0.001, RIVALS, "fails", "largest error")
    assert svg.startswith("<svg")
    assert "nan" not in svg
    assert "without f" in svg
    labels = ruler.layout_labels(
        [(x, f"{name}: 0.2", "bad") for x, name in zip((150, 155, 160, 300), RIVALS, strict=True)]
    )
    for first in labels:
        assert first.left >= 0
        assert first.right <= ruler.WIDTH
        for second in labels:
            apart = first.right < second.left or second.right < first.left
            assert first is second or first.row != second.row or apart


def test_ruler_shows_the_check_that_rejects_rivals() -> None:
    """A rival stands on the ruler where it is rejected, never at the claim's own place as if it were as good."""
    near, far = (
        Check(name="tight", deviation=0.9, allowance=(-1.0, 1.0), resolution=2.0),
        Check(name="telling", deviation=0.1, allowance=(-1.0, 1.0), resolution=2.0),
    )
    wrong = Check(name="telling", deviation=7.0, allowance=(-1.0, 1.0), resolution=2.0)
    assumptions = (Assumption("given", True, ""),)
    found: Any = SimpleNamespace(
        verdict=judge((near, far), assumptions, "theorem"),
        rivals={
            "wrong": judge((near, wrong), assumptions, "theorem"),
            "equal": judge((near, far), assumptions, "theorem"),
        },
    )
    shown = ruler.ruler(found)
    assert "telling" in shown and "wrong: 7" in shown and "equal: 0.1" in shown
    found.verdict = judge((near, wrong), assumptions, "theorem")
    found.rivals = {
        "elsewhere": judge(
            (Check(name="tight", deviation=9.0, allowance=(-1.0, 1.0), resolution=2.0), far), assumptions, "theorem"
        )
    }
    shown = ruler.ruler(found)
    assert "telling" in shown and "elsewhere" not in shown


def test_ruler_and_chips_escape_what_they_show() -> None:
    svg = ruler.draw(0.1, (-1, 1), rivals={"<script>": 2.0}, name="<img>")
    chips = ruler.chips([Assumption("<i>", False, 'has "quotes" & <b>'), Assumption("step_size_safe", True, "0.9")])
    for text in (svg, chips):
        assert not any(tag in text for tag in ("<script>", "<img>", "<i>", "<b>"))
    assert "does not hold" in chips
    assert "step size safe" in chips


@pytest.mark.parametrize("status", list(ruler.BADGES))
def test_badges_have_a_sign_and_a_word(status: str) -> None:
    sign, word, _ = ruler.BADGES[status]
    verdict = judge([Check(name="gap", deviation=0.0, allowance=(-1, 1), resolution=2.0)], (), "theorem")
    assert sign in ruler.badge(status)
    assert word in ruler.badge(status)
    assert "Holds" in ruler.badge(verdict)
    assert "Testing" in ruler.badge(None)
