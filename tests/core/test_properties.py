"""Every claim over its room's whole slider range: no crash, no NaN, and a bad combination is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from theory.core import catalog
from theory.core.errors import ParameterError
from theory.core.parameters import Spec, parse, restricted, specs
from theory.core.vocabulary import Room

pytestmark = pytest.mark.slow

EXAMPLES, MANY = 8, 200
"""Points per claim that every run tries, and that the audit tries."""


def values_of(spec: Spec) -> st.SearchStrategy[object]:
    """Any value that a slider or a menu could take."""
    if spec.kind == "choice":
        return st.sampled_from(spec.choices)
    if spec.kind == "integer":
        return st.integers(int(spec.low), int(spec.high))
    return st.floats(spec.low, spec.high)


def points_of(room: Room) -> st.SearchStrategy[dict[str, object]]:
    """Points that move a few sliders away from the defaults."""
    free = {spec.name: values_of(spec) for spec in specs(room.Params) if spec.kind != "array"}
    return st.fixed_dictionaries({}, optional=free)


def examine(claim: Any, examples: int) -> None:
    """Try a claim at random points of its room's sliders."""
    room = catalog.room_of(claim)

    @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
    @given(values=points_of(room))
    def at(values: dict[str, object]) -> None:
        given_params: Any = parse(room.Params, {**claim.defaults, **values})
        for name, (low, high) in room.bounds(given_params).items():  # what the sliders do
            if (value := getattr(given_params, name)) is not None:
                values[name] = type(value)(np.clip(value, low, high))
        try:
            params: Any = catalog.parameters(claim, values)
            problem = room.draw(params, params.data_seed)
        except ParameterError as error:
            assert error.parameter in room.Params.model_fields and error.allowed
            return
        visible = restricted(params, claim.uses, claim.id)  # what is not declared cannot be read, wherever one stands
        assumptions = claim.assumptions(visible, problem)
        prediction = claim.predict(visible, problem)
        assert all(assumption.name and assumption.detail for assumption in assumptions)
        for rival in claim.rivals:  # a wrong formula may be anything, but judging it must not stop the check
            rival.predict(visible, problem)
        if all(assumption.holds for assumption in assumptions):
            for variable in prediction.data_vars.values():
                missing = variable.dtype.kind == "f" and bool(np.isnan(variable.values).any())
                assert not missing or variable.attrs.get("missing_allowed"), variable.name

    at()


@pytest.mark.parametrize("claim", catalog.claims(), ids=lambda claim: claim.id)
def test_prediction_is_defined_everywhere(claim: Any) -> None:
    examine(claim, EXAMPLES)


@pytest.mark.audit
@pytest.mark.parametrize("claim", catalog.claims(), ids=lambda claim: claim.id)
def test_prediction_is_defined_at_many_more_points(claim: Any) -> None:
    examine(claim, MANY)
