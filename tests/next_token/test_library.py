"""The room as a library: matrices, answers and sentences for what cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.next_token.random_prompts import ranked, unit_rows
from theory import next_token
from theory.core.errors import DataError, ParameterError


@pytest.mark.parametrize("embed", [None, unit_rows(2, 6, 8)])
def test_directions_are_matrices(embed: np.ndarray | None) -> None:
    prompts = ranked(2, embed=embed)
    solution = next_token.solve(prompts)
    svm, fin = next_token.w_svm(prompts), next_token.w_fin(solution)
    assert svm.shape == fin.shape == (prompts.dim, prompts.dim)
    np.testing.assert_allclose(next_token.logits_of(svm, prompts.vectors), solution.levels, atol=1e-9)
    assert np.linalg.norm(svm) ** 2 == pytest.approx(solution.svm.norm_squared)
    assert np.abs(np.sum(svm * fin)) < 1e-8, "the direction is orthogonal to the finite subspace"


def test_the_answer_to_a_prompt_needs_data_or_a_solution() -> None:
    prompts = ranked(2)
    direct = next_token.automaton_next(prompts, [3, 4, 1])
    again = next_token.automaton_next(next_token.solve(prompts), [3, 4, 1])
    np.testing.assert_array_equal(direct.distribution, again.distribution)
    with pytest.raises(DataError, match="labels_missing"):
        next_token.automaton_next([[0, 1]], [0, 1])


CYCLE = [(0, 1), (1, 2), (2, 1)]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: next_token.solve_graph_svm(CYCLE, [1, 1, 1]), r"order = \[1, 2\].*without a cycle"),
        (lambda: next_token.solve_graph_svm([(0, 0)], [1]), r"order = \(0, 0\).*different positions"),
        (lambda: next_token.solve_graph_svm([(0, 3)], [1, 1]), r"order = \(0, 3\).*from 0 to 1"),
        (lambda: next_token.solve_graph_svm([(0, 1)], [1, 0]), "sizes = .*above 0"),
        (lambda: next_token.solve_graph_svm([(0, 1)], [1.5, 1]), "sizes = .*whole numbers"),
        (lambda: next_token.solve_graph_svm(np.eye(2, dtype=bool), [1]), "order = a matrix of shape"),
        (lambda: next_token.chain_levels([1, 0]), "sizes = .*above 0"),
        (lambda: next_token.star_levels(0), "n_labels = 0 .*at least 1"),
        (lambda: next_token.slow_tie_gap(0.5, 0.5, 0.0), "log_time = 0.0 .*above 0"),
        (lambda: next_token.slow_tie_gap(-0.5, 0.5, 1.0), "upper_weight = -0.5 .*above 0"),
        (lambda: next_token.path_radius(0.0), "penalty = 0.0 .*above 0"),
        (lambda: next_token.newton_path(ranked(2), np.array([-1.0])), "penalties = .*above 0"),
        (lambda: next_token.priority_graph(ranked(2), 6), "k = 6 .*from 0 to 5"),
        (lambda: next_token.finite_projection(ranked(2), np.zeros((2, 2))), "logits = array of shape"),
        (lambda: next_token.extract(np.zeros((2, 2)), np.zeros((3, 3)), 1.0), "logits_early = array of shape"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        call()
