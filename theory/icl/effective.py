"""What one layer computes as a function of the labels: a (weighted) preconditioned gradient step plus an even part.

Under the sign symmetry of the data the even part is uncorrelated with everything that helps, so it only adds risk: the
best layer has none, and is the best (weighted) one-step preconditioned gradient descent (arXiv 2407.10005).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from theory.core.errors import ParameterError
from theory.icl.inputs import checked
from theory.icl.problem import Floats


@dataclass(frozen=True, eq=False)
class EvenPart:
    """The part of the direction p (d,) that is even in the labels: ``matrix X'X vector + along y'y``.

    Shapes (..., d, d), (..., d), (..., d).
    """

    matrix: Floats
    vector: Floats
    along: Floats

    @property
    def norm(self) -> Floats:
        """|matrix| |vector| + |along| with Frobenius norms, shape (...): zero iff there is no even part."""
        sizes = np.linalg.norm(self.matrix, axis=(-2, -1)) * np.linalg.norm(self.vector, axis=-1)
        return np.asarray(sizes + np.linalg.norm(self.along, axis=-1), dtype=np.float64)


def effective_preconditioner(
    query: Floats, key: Floats, value: Floats, output: Floats, n: int
) -> tuple[Floats, EvenPart]:
    """W (..., d, d) of the step ``x' W X'y`` that attention takes, and its even part; weights as in ``model``.

    With ``Q = Wq Wk'`` and ``v = Wv h``: ``W = (v_y Q_xx + Q_xy v_x') / n``; subscripts are the rows and columns of
    features x and of the label y. The even part is ``(Q_xx X'X v_x + v_y Q_xy y'y) / n``.

    >>> one = np.eye(2)
    >>> effective_preconditioner(one, one, one, np.array([0.0, 3.0]), 2)[0].tolist()
    [[1.5]]
    """
    size = np.shape(output)[-1]
    for name, part in (("query", query), ("key", key), ("value", value)):
        if np.shape(part)[-2:-1] != (size,):
            raise ParameterError(name, np.shape(part), f"{size} rows, as many as the output weights are")
    checked("n", n, 1)
    table = query @ np.swapaxes(key, -1, -2) / n
    vector = (value @ output[..., None])[..., 0]
    features, cross = table[..., :-1, :-1], table[..., :-1, -1]
    label = vector[..., -1, None]
    steps = label[..., None] * features + cross[..., :, None] * vector[..., None, :-1]
    return steps, EvenPart(features, vector[..., :-1], label * cross)


def step_of(weights: Mapping[str, Floats], n: int) -> tuple[Floats, EvenPart]:
    """The same of a trained layer's weights by name."""
    return effective_preconditioner(weights["query"], weights["key"], weights["value"], weights["output"], n)


def effective_wpgd(weights: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """W (d, d) and sample weights omega (n,) of the step ``x' W X'(omega * y)`` that H3 takes.

    ``W = Wq_x diag(h) (Wk_x diag(Wv_y) + Wv_x diag(Wk_y))'``, omega the filter over n. Only their product is
    identified: scale and sign may move between them.
    """
    query, key, value = weights["query"], weights["key"], weights["value"]
    mixed = key[:-1] * value[-1] + value[:-1] * key[-1]
    return (query[:-1] * weights["output"]) @ mixed.T, weights["filter"] / len(weights["filter"])


def impulse_response(preconditioner: Floats, omega: Floats) -> Floats:
    """The identified product ``omega_i W``, shape (n, d, d): the response to example i alone."""
    return omega[:, None, None] * preconditioner
