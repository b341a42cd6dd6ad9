"""Every figure of the room ``distillation`` on real predictions and real students, in both templates and widths."""

from __future__ import annotations

import json
from functools import cache
from xml.etree import ElementTree

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
import pytest
from xarray import Dataset

from theory.distillation import views
from theory.distillation.data import draw
from theory.distillation.features import from_features
from theory.distillation.own.report import feature_report
from theory.distillation.parameters import Params
from theory.distillation.problem import Regression
from theory.distillation.simulation.learning_curves import fits_key, measured_curve, measured_factors, measured_teachers
from theory.distillation.views.talk import ARMS
from widgets.distillation import figures as distillation
from widgets.distillation.anatomy import zones
from widgets.distillation.arms import NAMES, hue
from widgets.kit import theme
from widgets.kit.colour import contrast
from widgets.kit.thumbnail import figure_svg

SMALL: dict[str, object] = {"n_features": 80, "n_samples": 30, "replicates": 4}
CASES: dict[str, dict[str, object]] = {
    "power": {},
    "near the peak": {"n_samples": 78},
    "isotropic": {"spectrum": "isotropic"},
    "exponential": {"spectrum": "exponential", "signal_exponent": 3.0},
    "levels": {"spectrum": "two_level"},
    "noisy": {"noise_variance_target": 1.0},
    "one arm noisy": {"noise_variance_target": 1.0, "noisy_arms": "strong_only"},
    "ridge": {"ridge": 5.0, "n_samples": 120},
    "given": {
        "eigenvalues": (4.0, 2.0, 1.0, 0.5, 0.25, 0.1, 0.05, 0.02),
        "signal": (1.0, -1.0, 0.0, 1.0, 2.0, 1.0, 1.0, 1.0),
        "surrogate": (1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        "n_samples": 5,
    },
}


def never() -> bool:
    return False


@cache
def case(name: str) -> tuple[Params, Regression]:
    params = Params(**(SMALL | CASES[name]))  # type: ignore[arg-type]
    return params, draw(params, 0)


@cache
def fits(name: str) -> Dataset:
    return measured_curve(*case(name), lambda *_: None, never)


@cache
def talk_data(name: str) -> tuple[Dataset, Dataset]:
    params, problem = case(name)
    factors = measured_factors(params, problem, never)
    return views.anatomy(params, problem, factors), views.curves(params, problem, fits(name))


@cache
def report_data() -> tuple[Dataset, Dataset]:
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((400, 20)) / np.arange(1, 21)
    found = feature_report(from_features(rows, rows[:, 0] + generator.standard_normal(400)), points=4, trials=3)
    return views.own_spectrum(found), views.own_curve(found)


def networks_data() -> Dataset:
    generator = np.random.default_rng(0)
    labels = ["strong", "mask", "optimal", "weak", "flipped", "weak_flipped"]
    raw = Dataset(
        {
            "accuracy": (("seed", "label"), generator.uniform(0.7, 0.95, (4, 6))),
            "squared_error": (("seed", "label"), generator.uniform(0.2, 0.7, (4, 6))),
            "teacher_accuracy": (("seed", "teacher"), generator.uniform(0.7, 0.95, (4, 2))),
        },
        coords={"label": labels, "teacher": ["weak", "weak_flipped"]},
    )
    return views.networks(raw)


@cache
def other_data() -> dict[str, Dataset]:
    """What the figures besides the talk picture draw, by name of the figure."""
    params, problem = case("power")
    teachers = measured_teachers(params, problem, views.teacher_sizes(problem, params), never)
    spectrum, curve = report_data()
    return {
        "learning": views.learning(params, problem, fits("power")),
        "learning noisy": views.learning(*case("noisy"), fits("noisy")),
        "learning theory": views.learning(params, problem),
        "gain_map": views.gain_map(params, problem),
        "gain_map elsewhere": views.gain_map(*case("levels")),
        "two_stage": views.two_stage(params, problem, teachers),
        "two_stage theory": views.two_stage(params, problem),
        "exponents": views.exponents(params, problem),
        "own_spectrum": spectrum,
        "own_curve": curve,
        "networks": networks_data(),
    }


DRAW = {
    "learning": distillation.learning_curves,
    "gain_map": distillation.gain_map,
    "two_stage": distillation.two_stage,
    "exponents": distillation.exponents,
    "own_spectrum": distillation.own_spectrum,
    "own_curve": distillation.own_curve,
    "networks": distillation.networks,
}


@cache
def figures(dark: bool, narrow: bool) -> dict[str, go.Figure]:
    look = {"dark": dark, "narrow": narrow}
    found = {f"talk {name}": distillation.talk_picture(*talk_data(name), **look) for name in CASES}
    params, problem = case("power")
    plain = views.anatomy(params, problem), views.curves(params, problem)
    others = {name: DRAW[name.split()[0]](data, **look) for name, data in other_data().items()}
    return found | others | {"talk theory": distillation.talk_picture(*plain, **look)}


NAMED = (
    *(f"talk {name}" for name in CASES),
    "talk theory",
    "learning",
    "learning noisy",
    "learning theory",
    "gain_map",
)
NAMED += ("gain_map elsewhere", "two_stage", "two_stage theory", "exponents", "own_spectrum", "own_curve", "networks")


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", NAMED)
def test_every_figure_keeps_the_house_rules(name: str, dark: bool, narrow: bool) -> None:
    fig = figures(dark, narrow)[name]
    go.Figure(fig.to_plotly_json())  # drawings skip Plotly's checks, this one does not
    assert len(theme.figure_text(fig)) > 40
    assert "nan" not in theme.figure_text(fig)
    assert fig.layout.uirevision
    assert fig.layout.width is None
    assert fig.layout.template == pio.templates[theme.template(dark)]
    drawn = [trace for trace in fig.data if trace.type == "scatter" and trace.mode == "markers"]
    assert sum(len(trace.x) for trace in drawn) <= theme.MAX_MARKERS
    for trace in fig.data:
        assert trace.type in ("heatmap", "contour") or trace.mode in ("lines", "markers", "text")
        assert len(trace.x)
    assert not any("nan" in str(word) for trace in fig.data if trace.type == "scatter" for word in trace.text or ())
    json.loads(pio.to_json(fig))


@pytest.mark.parametrize("name", [name for name in NAMED if name.startswith("talk")])
def test_the_talk_picture_is_cheap_to_redraw(name: str) -> None:
    fig = figures(False, False)[name]
    assert len(fig.data) <= 30
    assert not fig.layout.annotations
    assert not any(fig.layout[axis].automargin for axis in ("xaxis", "xaxis2", "xaxis3", "yaxis", "yaxis2", "yaxis3"))
    assert len(pio.to_json(fig)) < 80_000


def test_a_measured_curve_stays_while_n_and_noise_move() -> None:
    params, problem = case("power")
    moved = params.model_copy(update={"n_samples": 50, "noise_variance_target": 0.5})
    assert fits_key(moved, problem) == fits_key(params, problem)
    noisy = views.curves(moved, problem, fits("power"))
    assert "measured" in noisy
    direct = measured_curve(moved, problem, lambda *_: None, never)
    again = views.curves(moved, problem, direct)
    common = [size for size in again["size"].values if size in noisy["size"].values]
    assert len(common) >= 8
    np.testing.assert_allclose(noisy.measured.sel(size=common).values, again.measured.sel(size=common).values)
    ridged = params.model_copy(update={"ridge": 1.0})
    assert "measured" not in views.curves(ridged, problem, fits("power"))


def test_measured_points_lie_on_the_predicted_lines() -> None:
    _, curves = talk_data("power")
    measured = curves.measured.sel(statistic="mean", arm=list(ARMS))
    for row, arm in enumerate(ARMS):
        line = np.exp(np.interp(np.log(measured["size"]), np.log(curves.n), np.log(curves.predicted.values[row])))
        large = measured["size"].values >= 10
        assert np.abs(measured.sel(arm=arm).values / line - 1)[large].max() < 0.8


def test_zones_say_what_the_best_teacher_does() -> None:
    assert [zone[2] for zone in zones(talk_data("power")[0])] == ["amplify", "shrink", "discard"]
    assert [zone[2] for zone in zones(talk_data("isotropic")[0])] == ["leave as it is"]
    anatomy = talk_data("power")[0]
    for first, last, name, _ in zones(anatomy):
        inside = (anatomy.feature >= first) & (anatomy.feature <= last)
        factor = anatomy.factor.sel(teacher="optimal").values[inside]
        assert (factor > 1).all() == (name == "amplify")


def test_colours_differ_and_can_be_read() -> None:
    for dark in (False, True):
        paper = theme.palette(dark).paper
        assert len({hue(arm, dark) for arm in (*ARMS, "given", "labels", "ridge")}) == 6
        assert all(contrast(theme.readable(hue(arm, dark), paper), paper) >= 4.5 for arm in NAMES)


def test_thumbnails_are_drawn() -> None:
    svg = ElementTree.fromstring(figure_svg(figures(False, False)["talk power"], "risk"))  # noqa: S314 - our own picture
    text = ElementTree.tostring(svg, encoding="unicode")
    assert "nan" not in text
    assert len(list(svg.iter("{http://www.w3.org/2000/svg}path"))) >= 6


def test_paper_table_agrees_with_the_students() -> None:
    data = Dataset(
        {
            "overfitting": ("n", [0.5]),
            "amplified": ("n", [16]),
            "kept": ("n", [25]),
            "predicted": (("arm", "n"), [[0.64], [0.43], [0.41]]),
            "measured": (("arm", "n"), [[0.65], [0.44], [0.42]]),
            "standard_error": (("arm", "n"), [[0.01], [0.01], [0.01]]),
        },
        coords={"n": [25], "arm": list(ARMS)},
    )
    head, rows = distillation.paper_rows(data)
    assert len(head) == len(rows[0]) == 7
    assert rows[0][4] == "0.6400 / 0.6500 ± 0.0100"
