"""Every figure of the room ``icl`` on real predictions and small trained layers, in both templates and widths."""

from __future__ import annotations

from functools import cache
from xml.etree import ElementTree

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
import pytest
from xarray import Dataset

from theory.icl import views
from theory.icl.claims.best_steps import best_step
from theory.icl.data import draw
from theory.icl.optimum import step_risk
from theory.icl.parameters import Params
from theory.icl.problem import Regression
from widgets.icl import figures as icl
from widgets.kit import live, theme
from widgets.kit.thumbnail import figure_svg

CASES: dict[str, dict[str, object]] = {
    "independent": {"dim": 6},
    "two directions": {"dim": 2, "context_length": 1},
    "noise alone is large": {"dim": 5, "noise_variance": 4.0, "context_length": 1},
    "rotated": {"dim": 6, "basis_rotation": 0.7, "feature_decay": 1.0},
    "signs": {"dim": 5, "features": "signs"},
    "divergent": {"dim": 5, "step_size": 1.2},
    "rag": {"design": "rag", "dim": 5, "alignment": 0.6, "spectrum_decay": 0.0},
    "rag far crossover": {"design": "rag", "dim": 20, "alignment": 0.22, "spectrum_decay": 0.0},
    "alignment": {"design": "alignment", "dim": 5, "alignment": 0.4, "spectrum_decay": 0.0},
    "drift": {"design": "drift", "dim": 5},
    "no learnable task": {"eigenvalues": (0.0, 0.0)},
}
FIGURES = ("retrieval", "descent", "memory", "ranks", "softmax", "length", "own_ranks", "equivalence", "staircase")


def case(name: str) -> tuple[Params, Regression]:
    params = Params(**CASES[name])  # type: ignore[arg-type]
    return params, draw(params, 0)


@cache
def layers(name: str) -> Dataset:
    """Layers beside the optimum, as if trained: two at each of three lengths."""
    params, problem = case(name)
    generator = np.random.default_rng(0)
    n = np.repeat([2, params.context_length, 100], 2)
    best = best_step(params, problem, weighted=False)
    weights = best.preconditioner * (1 + 0.02 * generator.standard_normal((len(n), problem.dim, problem.dim)))
    count = len(n)
    return Dataset(
        {
            "n": (("model",), n),
            "preconditioner": (("model", "row", "column"), weights),
            "path": (("time", "model", "row", "column"), np.linspace(0, 1, 5)[:, None, None, None] * weights),
            "even": (("model",), np.full(count, 1e-3)),
            "risk": (("model",), best.risk * (1 + 0.01 * generator.random(count))),
            "standard_error": (("model",), np.full(count, 0.02)),
            "settled": (("model",), np.arange(count) > 0),
        }
    )


def talk(name: str, *, trained: bool = True, **look: bool) -> go.Figure:
    found = layers(name) if trained else None
    return icl.talk_picture(views.bowl(*case(name), found), views.risk_curve(*case(name), found), **look)


@cache
def data(which: str) -> Dataset:
    params, problem = case("rag" if which in ("retrieval", "softmax") else "independent")
    if which == "memory":
        return views.memory(*case("drift"))
    if which == "own_ranks":
        return views.own_ranks(np.array([3.0, 2.0, 1.5]), np.array([4.0, 2.5, 1.5]))
    if which == "equivalence":
        step = best_step(params, problem, weighted=False).preconditioner
        return views.equivalence(params, problem, step, layers("independent"))
    if which == "staircase":
        raw = views.descents(params, problem, lambda *_: None, lambda: False)
        return views.staircase(params, problem, raw)
    found: Dataset = getattr(views, which)(params, problem)
    return found


def keeps_the_rules(fig: go.Figure) -> None:
    go.Figure(fig.to_plotly_json())  # drawings skip Plotly's checks, this one does not
    assert len(theme.figure_text(fig)) > 30
    assert "nan" not in theme.figure_text(fig)
    assert fig.layout.height <= 3 * theme.PANEL_HEIGHT
    assert len(pio.to_json(fig)) < 250_000
    assert not fig.layout.title.text


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", CASES)
def test_the_opening_picture_is_drawn_by_the_fast_element(name: str, dark: bool, narrow: bool) -> None:
    for trained in (False, True):
        fig = talk(name, trained=trained, dark=dark, narrow=narrow)
        keeps_the_rules(fig)
        assert live.is_live(fig)
        assert live.unknown(fig) == set()
        assert len(fig.data) <= 30


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("which", FIGURES)
def test_every_other_figure_keeps_the_house_rules(which: str, dark: bool, narrow: bool) -> None:
    keeps_the_rules(getattr(icl, which)(data(which), dark=dark, narrow=narrow))


@pytest.mark.parametrize("name", ["independent", "rotated", "signs"])
def test_the_risk_is_the_same_all_along_a_contour(name: str) -> None:
    params, problem = case(name)
    bowl = views.bowl(params, problem)
    best = best_step(params, problem, weighted=False).preconditioner
    unroot = problem.whitening[1]
    chosen = unroot @ problem.spectrum[1][:, [0, bowl.attrs["second"] - 1]]
    corners = np.stack([bowl.contour_a.values - float(bowl.best_a), bowl.contour_b.values - float(bowl.best_b)], -1)
    off = np.einsum("lck,ik,jk->lcij", corners / params.context_length, chosen, chosen)
    kurtosis = -2.0 if name == "signs" else 0.0
    risks = step_risk(best + off, problem, params.context_length, params.noise_variance, kurtosis)
    np.testing.assert_allclose(risks, np.broadcast_to(bowl.level_risk.values[:, None], risks.shape), rtol=1e-9)


def test_descent_ends_at_the_best_step() -> None:
    bowl = views.bowl(*case("independent"))
    ends = [float(bowl.path_a[-1]), float(bowl.path_b[-1])]
    np.testing.assert_allclose(ends, [float(bowl.best_a), float(bowl.best_b)], rtol=1e-6)
    np.testing.assert_allclose(float(bowl.path_risk[-1]), float(bowl.lowest), rtol=1e-9)


def test_the_crossover_is_where_the_curves_cross() -> None:
    params, problem = case("rag")
    curve = views.risk_curve(params, problem)
    n = np.log(curve.n.values)
    crossing = np.log(float(curve.crossover))
    exact, apart = (np.interp(crossing, n, curve.risk.sel(curve=name).values) for name in ("exact", "independent"))
    np.testing.assert_allclose(exact, apart, rtol=1e-3)
    assert any("25.5" in str(text) for trace in talk("rag").data for text in trace.text or ())
    far = views.risk_curve(*case("rag far crossover"))
    assert float(far.crossover) > float(far.n[-1])


def test_thumbnails_are_drawn() -> None:
    svg = ElementTree.fromstring(figure_svg(talk("rag"), "risk"))  # noqa: S314 - our own picture
    text = ElementTree.tostring(svg, encoding="unicode")
    assert "nan" not in text
    assert len(list(svg.iter("{http://www.w3.org/2000/svg}path"))) >= 6
