"""The parameter model: every name is accepted, every refusal names parameter, value and range."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toy import Params as Toy
from theory.core.errors import ParameterError
from theory.core.parameters import canonical, clamp, parse, read_value, spec, specs
from theory.next_token.parameters import Params

MODELS = (Params, Toy)
NUMBERS = [(model, item) for model in MODELS for item in specs(model) if item.kind in ("integer", "number")]
LOGARITHMS = [(model, item) for model, item in NUMBERS if item.log10_name]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
anything = st.dictionaries(
    st.sampled_from(["steps", "K", "vocab_size", "log10_steps", "embed", "X", "zz"]), JSON, max_size=4
)


def identify(value):
    return getattr(value, "name", None) or getattr(value, "__name__", None)


@pytest.mark.parametrize("model", MODELS)
def test_defaults_are_allowed_and_names_are_unique(model):
    assert model() == parse(model, {})
    names = [n for item in specs(model) for n in (item.name, *item.spec_names, item.log10_name) if n]
    assert len(names) == len(set(names))
    assert all(item.symbol and item.label and item.description for item in specs(model))


@pytest.mark.parametrize(("model", "item"), NUMBERS, ids=identify)
def test_both_ends_are_allowed_and_nothing_beyond(model, item):
    for end, direction in ((item.low, -1), (item.high, 1)):
        assert getattr(parse(model, {item.name: end}), item.name) == end
        for name in (item.name, *item.spec_names):
            for beyond in (end + direction, str(end + direction), direction * math.inf, math.nan, "NaN", "1e999", "x"):
                with pytest.raises(ParameterError) as caught:
                    parse(model, {name: beyond})
                assert caught.value.parameter == item.name
                assert item.allowed in str(caught.value)


@pytest.mark.parametrize(("model", "item"), LOGARITHMS, ids=identify)
def test_logarithms_reach_both_ends(model, item):
    for end in (item.low, item.high):
        assert getattr(parse(model, {item.log10_name: math.log10(end)}), item.name) == pytest.approx(end)
    for beyond in (math.log10(item.high) + 0.01, math.nan, math.inf, "x", None, True, [1]):
        with pytest.raises(ParameterError, match=item.log10_name):
            parse(model, {item.log10_name: beyond})


@given(values=anything)
def test_bad_input_is_refused_with_a_sentence(values):
    try:
        params = parse(Params, values)
    except ParameterError as error:
        assert str(error).endswith(".")
        assert len(str(error)) < 1000
    else:
        assert parse(Params, params.model_dump()) == params
        assert parse(Params, json.loads(params.model_dump_json())) == params


@given(values=anything)
def test_addresses_are_never_refused(values):
    params, notes = clamp(Params, values)
    assert parse(Params, params.model_dump()) == params
    assert all(note.endswith(".") for note in notes)


@given(value=st.floats(allow_nan=False) | st.integers())
def test_numbers_outside_move_to_the_nearest_end(value):
    params, notes = clamp(Params, {"K": value, "lr": 2.0})
    item = spec(Params, "vocab_size")
    assert params.vocab_size == round(min(max(value, item.low), item.high))
    assert params.learning_rate == 2.0
    assert bool(notes) == (params.vocab_size != value)


def test_logarithms_outside_move_to_the_nearest_end():
    params, notes = clamp(Params, {"log10_steps": "9"})
    assert params.steps == 1_000_000
    assert "log10_steps = 9 is not allowed" in notes[0]


def test_dependent_bounds_are_respected():
    params, notes = clamp(Params, {"n_last": 9, "vocab_size": 6}, {"n_last": (1, 6)})
    assert params.n_last == 6
    assert len(notes) == 1


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 100_000, "{", "", "NaN", "Infinity", "nul", '"x'])
def test_any_text_is_a_value(text):
    assert read_value(text) == text


def test_papers_names_are_accepted_once():
    assert canonical(Params, {"K": 4, "T": 3, "t": 100}) == {"vocab_size": 4, "prompt_length": 3, "steps": 100}
    with pytest.raises(ParameterError, match="given twice"):
        canonical(Params, {"K": 4, "vocab_size": 4})
    with pytest.raises(ParameterError, match="did you mean vocab_size"):
        canonical(Params, {"vocabsize": 4})


def test_changed_and_with_values():
    params = Params().with_values(K=7, eps="0.1")
    assert params.changed() == {"vocab_size": 7, "label_flip_probability": 0.1}
    assert parse(Params, params.changed()) == params
    with pytest.raises(ParameterError):
        params.with_values(K=99)
