"""The Python API as a person would use it, with the glossary's names and with the paper's."""

from __future__ import annotations

import numpy as np
import pytest

import theory
from theory import next_token
from theory.core.errors import BenchError, DataError, ParameterError
from theory.core.store import Store


def test_predict_accepts_the_papers_names_and_answers_with_the_glossarys() -> None:
    prediction = theory.predict("sharp-logits", K=5, log10_steps=4, seed=3)
    assert prediction["logits"].dims == ("step", "token", "last")
    assert prediction.sizes["token"] == 5 and int(prediction.step[-1]) == 10_000
    assert prediction["logits"].attrs["spec_name"] == "S"


def test_check_returns_a_verdict_with_its_evidence(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    result = theory.check("loss-gap", seeds=4, store=store, log10_steps=4)
    assert result.verdict.status == "holds"
    assert result.raw is not None and result.raw["logits"].dims[0] == "seed"
    assert result.measurement is not None and result.measurement["gap"].dims == result.prediction["gap"].dims
    assert set(result.rivals) == {"norm not squared", "floor forgotten", "edges counted"}
    again = theory.check("loss-gap", seeds=5, store=store, log10_steps=4)
    assert again.computed == 1, "four of five instances come from the store"


def test_names_are_functions_whatever_was_imported_first() -> None:
    from theory.core import (
        bench,  # noqa: F401
        catalog,  # noqa: F401
        vocabulary,  # noqa: F401
    )

    assert theory.claim("loss-gap").kind == "extension"
    assert {claim.id for claim in theory.claims()} >= {"priority-order", "automaton", "consistency"}
    assert theory.room("next_token").paper.arxiv == "2403.08081"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"K": 99}, "vocab_size = 99 is not allowed: expected a whole number from 3 to 40"),
        ({"eps": float("nan")}, "label_flip_probability = nan is not allowed: expected a number from 0 to 1"),
        ({"n_last": 9}, "n_last = 9 is not allowed: expected a value from 1 to 6"),
        ({"log10_steps": 7}, "log10_steps = 7 is not allowed: expected a number from 1 to 6"),
        ({"wobble": 1}, "wobble = 1 is not allowed: expected a parameter of this room"),
    ],
)
def test_bad_values_are_named(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence.replace("(", r"\(")):
        theory.predict("loss-gap", **values)


def test_unknown_claims_suggest_the_nearest() -> None:
    with pytest.raises(BenchError, match="los-gap is not known: expected one of loss-gap"):
        theory.predict("los-gap")


def test_sequences_and_labels_replace_the_generator() -> None:
    star = theory.predict("graph-svm", sequences=[[0, 2]] * 3 + [[1, 2]], labels=[0, 0, 0, 1])
    np.testing.assert_allclose(star.levels.values[:, 2], [1 / 3, 1 / 3, -2 / 3], atol=1e-9)
    with pytest.raises(DataError, match=r"label_not_in_sequence.*row 0"):
        theory.predict("graph-svm", sequences=[[0, 2], [1, 2]], labels=[1, 1])
    kept = theory.predict("graph-svm", sequences=[[0, 2], [1, 2]], labels=[1, 1], missing_label="drop")
    assert kept.levels.values[1, 2] == pytest.approx(0.5)


def test_the_papers_objects_accept_sequences_and_counts() -> None:
    sequences, labels = [[0, 1, 2], [1, 0, 2], [0, 0, 2]], [0, 1, 0]
    counts, last = np.array([[1, 1, 1], [1, 1, 1], [2, 0, 1]]), [2, 2, 2]
    from_sequences = next_token.priority_structure(sequences, labels=labels)
    from_counts = next_token.priority_structure(counts, last, labels)
    assert from_sequences[2].component.tolist() == from_counts[2].component.tolist() == [0, 0, 1]
    assert from_sequences[2].order.tolist() == from_counts[2].order.tolist()
    scores = next_token.fit_finite(counts, last, labels).fin_scores[:, 2]
    assert scores == pytest.approx([0.0, 0.0, 0.0], abs=1e-9), "one win each; the prompt with two zeros says nothing"
    with pytest.raises(DataError, match="last_not_in_counts"):
        next_token.priority_structure(np.array([[1, 1, 0]]), [2], [0])


def test_graph_svm_takes_edges_or_an_order_matrix() -> None:
    order = np.array([[False, True, True], [False, False, True], [False, False, False]])
    from_matrix = next_token.solve_graph_svm(order, [2, 1, 1]).levels
    np.testing.assert_allclose(from_matrix, next_token.chain_levels([2, 1, 1]), atol=1e-9)
    np.testing.assert_allclose(next_token.solve_graph_svm([(0, 1), (1, 2)], [2, 1, 1]).levels, from_matrix, atol=1e-9)


@pytest.mark.parametrize("name", next_token.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(next_token, name).__doc__
