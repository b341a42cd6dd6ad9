"""The data type: bad input is refused with its row and value, and nothing is lost on the way in."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.core.errors import DataError
from theory.next_token.problem import make_prompts, merged, select

BAD: list[tuple[str, dict[str, Any], str]] = [
    ("no_prompts", {"sequences": [], "labels": []}, "no prompt"),
    ("length_mismatch", {"sequences": [[0]], "labels": [0, 1]}, "1 prompts but 2 labels"),
    ("empty_sequence", {"sequences": [[0], []], "labels": [0, 0]}, "row 1 is an empty prompt"),
    ("token_not_integer", {"sequences": [[0], [0, 1.5]], "labels": [0, 0]}, "row 1 has token 1.5"),
    ("token_not_integer", {"sequences": [[0], [0, True]], "labels": [0, 0]}, "row 1 has token True"),
    ("token_not_integer", {"sequences": [[0, float("nan")]], "labels": [0]}, "row 0 has token nan"),
    ("token_not_integer", {"sequences": [["cat"]], "labels": [0]}, "row 0 has token 'cat'"),
    ("token_not_integer", {"sequences": [[0], "ab"], "labels": [0, 0]}, "row 1 is 'ab'"),
    ("token_not_integer", {"sequences": [[0], 3], "labels": [0, 0]}, "row 1 is 3"),
    ("token_not_integer", {"sequences": [[0]], "labels": [None]}, "row 0 has label None"),
    ("token_out_of_range", {"sequences": [[0], [0, 3]], "labels": [0, 0], "vocab_size": 3}, "row 1 has token 3"),
    ("token_out_of_range", {"sequences": [[0], [-1]], "labels": [0, 0]}, "row 1 has token -1"),
    ("token_out_of_range", {"sequences": [[0]], "labels": [9], "vocab_size": 3}, "row 0 has label 9; expected an id"),
    ("token_out_of_range", {"sequences": [[0, 2**70]], "labels": [0]}, "row 0 has token 1180591620717411303424"),
    ("label_not_in_sequence", {"sequences": [[0, 1], [0, 1], [1]], "labels": [0, 2, 0]}, r"2 of 3 rows \(1, 2\)"),
    ("vocabulary_too_large", {"sequences": [[10**9]], "labels": [10**9]}, "1000000001 tokens"),
    ("names_mismatch", {"sequences": [[0, 1]], "labels": [0], "vocab_size": 2, "names": ["a"]}, "1 token names"),
    ("embedding_shape", {"sequences": [[0]], "labels": [0], "embed": [[1.0], [1.0, 2.0]]}, "one length"),
    ("embedding_shape", {"sequences": [[0]], "labels": [0], "embed": [1.0]}, r"shape \(1,\)"),
    ("embedding_shape", {"sequences": [[0]], "labels": [0], "vocab_size": 2, "embed": [[1.0]]}, "1 embedding rows"),
    (
        "embedding_not_finite",
        {"sequences": [[0]], "labels": [0], "embed": [[1, float("nan")]]},
        "row 0, column 1 is nan",
    ),
]


@pytest.mark.parametrize(("code", "given_data", "says"), BAD)
def test_bad_input_is_named(code: str, given_data: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        make_prompts(**given_data)
    assert caught.value.code == code


def test_rows_without_their_label_can_be_dropped_and_are_counted() -> None:
    prompts = make_prompts([[0, 1], [0, 1], [1, 2, 2], [1]], [0, 2, 2, 0], missing_label="drop")
    assert (prompts.n, prompts.dropped, prompts.kept_fraction) == (2, 2, 0.5)
    assert prompts.sequence(1).tolist() == [1, 2, 2] and prompts.labels.tolist() == [0, 2]
    with pytest.raises(DataError, match="none of the 1 prompts"):
        make_prompts([[0]], [1], missing_label="drop")


def test_single_token_prompts_are_allowed_and_counted() -> None:
    assert make_prompts([[1], [1, 1], [0, 1]], [1, 1, 0]).uninformative == 2


def test_large_dense_tables_are_refused_with_a_hint() -> None:
    prompts = make_prompts(np.full((6000, 2), 4999), np.full(6000, 4999), 5001)
    for ask in (prompts.counts, lambda: prompts.gram, lambda: prompts.vectors):
        with pytest.raises(DataError, match=r"limit 200 MB.*use") as caught:
            ask()
        assert caught.value.code == "too_large"
    assert prompts.is_orthonormal and prompts.csr().sum() == 12_000


def test_embedding_views() -> None:
    plain = make_prompts([[0, 1]], [0])
    assert plain.dim == 2 and plain.is_orthonormal and plain.gram.tolist() == [[1, 0], [0, 1]]
    skewed = make_prompts([[0, 1]], [0], embed=[[1, 0, 0], [1, 1, 0]])
    assert skewed.dim == 3 and not skewed.is_orthonormal and skewed.gram.tolist() == [[1, 1], [1, 2]]


def test_equal_content_has_one_fingerprint() -> None:
    lists, table = make_prompts([[0, 1], [1, 0]], [0, 1]), make_prompts(np.array([[0, 1], [1, 0]]), np.array([0, 1]))
    assert lists.fingerprint == table.fingerprint != make_prompts([[0, 1], [1, 0]], [0, 0]).fingerprint


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=30), st.randoms())
def test_counts_selection_and_merging(sequences: list[list[int]], random: Any) -> None:
    labels = [random.choice(sequence) for sequence in sequences]
    prompts = make_prompts(sequences, labels, 4)
    table = [[sequence.count(token) for token in range(4)] for sequence in sequences]
    assert prompts.counts().tolist() == prompts.csr().toarray().tolist() == table
    assert prompts.last.tolist() == [sequence[-1] for sequence in sequences]
    assert [prompts.sequence(row).tolist() for row in range(prompts.n)] == sequences
    rows = random.choices(range(len(sequences)), k=3)
    assert select(prompts, rows).counts().tolist() == [table[row] for row in rows]
    rows_once = merged(prompts)
    keys = zip(
        map(tuple, rows_once.counts.toarray().tolist()), rows_once.last.tolist(), rows_once.labels.tolist(), strict=True
    )
    found = dict(zip(keys, rows_once.multiplicity.tolist(), strict=True))
    assert found == Counter(zip(map(tuple, table), (s[-1] for s in sequences), labels, strict=True))
    assert rows_once.labels.tolist() == [labels[row] for row in rows_once.first]
    order = list(zip(rows_once.last.tolist(), rows_once.labels.tolist(), strict=True))
    assert order == sorted(order)
