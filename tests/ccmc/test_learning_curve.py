"""The learning curve settles on the constants that Fisher's information predicts."""

from __future__ import annotations

import numpy as np
import pytest

from theory.ccmc.data import draw
from theory.ccmc.parameters import Params
from theory.ccmc.views.curves import learning_curve
from theory.core.errors import Cancelled, DataError

PARAMS = Params(chain="random", vocab_size=3, prompt_length=5)


def test_large_samples_are_at_the_constants() -> None:
    data = learning_curve(draw(PARAMS, 0), PARAMS, (300, 30_000), 120)
    for name, constant in (("error", "trace"), ("risk", "rank")):
        low, high = (float(data[name].sel(statistic=end)[-1]) for end in ("low", "high"))
        # Bars are two standard errors; four of them, and a relative term of order trace/n.
        slack = (high - low) / 2 + float(data[constant]) * float(data.trace) / 30_000
        assert low - slack <= float(data[constant]) <= high + slack
    assert np.all(np.diff(data.missing.values) <= 0)


def test_zeros_are_refused_and_a_visitor_who_moves_on_stops_it() -> None:
    zeros = Params(transition=((0.5, 0.5), (1.0, 0.0)))
    with pytest.raises(DataError, match="log P is infinite"):
        learning_curve(draw(zeros, 0), zeros, (300,), 2)
    with pytest.raises(Cancelled):
        learning_curve(draw(PARAMS, 0), PARAMS, (300,), 2, stop=lambda: True)
