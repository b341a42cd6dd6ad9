"""A person's own matrices, texts and logs: what is read, what is refused, what the data leave open."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.ccmc.own.read import from_text, identifiability_report, load
from theory.ccmc.parameters import Params
from theory.core.errors import BenchError, DataError, ParameterError
from theory.shared.files.text import language_reference

P = [[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0.5, 0.0, 0.5]]
PARAMS = Params(n_samples=200)


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "filename", "names"),
    [
        (b"0.5,0.25,0.25\n0.125,0.75,0.125\n0.5,0,0.5\n", "chain.csv", ()),
        (b"# from a notebook\n0.5 0.25 0.25\n0.125 0.75 0.125\n0.5 0 0.5\n", "chain.csv", ()),
        (b";a;b;c\na;0,5;0,25;0,25\nb;0,125;0,75;0,125\nc;0,5;0;0,5\n", "chain.csv", ("a", "b", "c")),
        (b"a\tb\tc\n0.5\t0.25\t0.25\n0.125\t0.75\t0.125\n0.5\t0\t0.5\n", "chain.tsv", ("a", "b", "c")),
        (b"a,0.5,0.25,0.25\nb,0.125,0.75,0.125\nc,0.5,0,0.5\n", "CHAIN.CSV", ("a", "b", "c")),
        (json.dumps(P).encode(), "chain.json", ()),
        (json.dumps({"transition": P, "names": ["a", "b", "c"]}).encode(), "chain.json", ("a", "b", "c")),
        (json.dumps({"P": P}).encode(), "chain.json", ()),
        (npy(np.array(P)), "chain.npy", ()),
        (npy(np.asfortranarray(P)), "chain.npy", ()),
        (npy(np.array(P, dtype=">f4")), "chain.npy", ()),
    ],
)
def test_a_matrix_is_read(content: bytes, filename: str, names: tuple[str, ...]) -> None:
    chain = load(content, filename, PARAMS)
    assert np.array_equal(chain.transition, P) and chain.names == names
    assert chain.n_samples == 200 and chain.initial_counts.tolist() == [1, 1, 1]


def test_a_first_prompt_comes_with_a_matrix() -> None:
    assert load(json.dumps({"transition": P, "prompt": [2, 0, 0]}).encode(), "a.json", PARAMS).prompt.tolist() == [
        2,
        0,
        0,
    ]


class Trap:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("unpickled",))


@pytest.mark.parametrize(
    ("content", "filename", "says"),
    [
        (b"", "a.csv", "upload_empty"),
        (b"0.5,0.5\n0.5,0.4\n", "a.csv", "row 1 of P sums to 0.9"),
        (b"0.5,0.5\n0.5\n", "a.csv", "row 1 of P has 1 entries"),
        (b"0.5,0.5\n0.5,tea\n", "a.csv", "row 1, column 1 is 'tea'"),
        (b"0.5,nan\n0.5,0.5\n", "a.csv", "row 0 of P contains nan"),
        (b"1.5,-0.5\n0.5,0.5\n", "a.csv", "row 0 of P contains -0.5"),
        (b"1\n", "a.csv", "P has 1 rows"),
        (b",a,b\na,0.5,0.5\nc,0.5,0.5\n", "a.csv", "names_mismatch"),
        (b"a,b,c,d\n0.5,0.5\n0.5,0.5\n", "a.csv", "4 token names for 2"),
        (b'"' + b"a" * 200_000, "a.csv", "transition_shape"),
        (b"[[0.5, 0.5], [0.5]]", "a.json", "row 1 of P has 1 entries"),
        (b"[[0.5, 0.5], 3]", "a.json", "row 1 is 3"),
        (b'[[0.5, "a"], [0.5, 0.5]]', "a.json", "row 0 has 'a'"),
        (b"[[0.5, 1e999], [0.5, 0.5]]", "a.json", "row 0 has inf"),
        (b"[[0.5, 1" + b"0" * 400 + b"], [0.5, 0.5]]", "a.json", "row 0 has 1000"),
        (b"[[0.5, true], [0.5, 0.5]]", "a.json", "row 0 has True"),
        (b'{"transition": 3}', "a.json", "no transition matrix"),
        (b'{"rows": []}', "a.json", "no transition matrix"),
        (b"7", "a.json", "no transition matrix"),
        (b"[[0.5,", "a.json", "line 1 is not JSON"),
        (b"[" * 100_000, "a.json", "line 1 is not JSON"),
        (json.dumps({"transition": P, "prompt": [9]}).encode(), "a.json", "token 9"),
        (b"not an array", "a.npy", "not a NumPy file"),
        (npy(np.array(P))[:-8], "a.npy", "64 bytes for 3 x 3"),
        (npy(np.full((65, 65), 1 / 65)), "a.npy", "at most 64 tokens"),
        (npy(np.ones(4)), "a.npy", r"'shape': \(4,\)"),
        (npy(np.array([["a", "b"]])), "a.npy", "table of numbers"),
        (npy(np.array([[Trap()]])), "a.npy", "table of numbers"),
        (npy(np.array([[0.5, 0.5], [np.nan, 1]])), "a.npy", "row 1 of P contains nan"),
    ],
)
def test_matrices_that_cannot_be_used(content: bytes, filename: str, says: str) -> None:
    with pytest.raises(BenchError, match=says):
        load(content, filename, PARAMS)


def test_a_header_that_promises_a_giant_allocates_nothing() -> None:
    header = npy(np.ones((2, 2))).replace(b"(2, 2), }        ", b"(200000000, 2), }")
    with pytest.raises(DataError, match=r"200000000, 2.*at most 64 tokens"):
        load(header, "a.npy", PARAMS)
    with pytest.raises(DataError, match="32 MiB"):
        load(b"\x93NUMPY" + bytes(33 * 2**20), "a.npy", PARAMS)


@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.json", "a.jsonl", "a.npy", "a.txt", ""]))
def test_any_bytes_give_a_chain_or_a_sentence(content: bytes, filename: str) -> None:
    try:
        chain = load(content, filename, PARAMS)
    except (DataError, ParameterError) as error:
        assert str(error)
    else:
        assert np.allclose(chain.transition.sum(axis=1), 1)


def test_text_becomes_smoothed_bigrams_and_windows() -> None:
    words = ["the", "cat", "saw", "the", "dog", "and", "the", "dog", "saw", "the", "cat", "the", "cat", "ran"]
    chain = load(" ".join(words).encode(), "story.txt", Params(prompt_length=3))
    names = list(chain.names)
    assert names[0] == "the" and set(names) == set(words)
    pairs = list(pairwise(words))
    for k, last in enumerate(names):
        total = sum(first == last for first, _ in pairs)
        for j, token in enumerate(names):
            assert chain.transition[k, j] == pytest.approx((1 + pairs.count((last, token))) / (len(names) + total))
    usable = [i for i in range(len(words) - 3) if words[i + 3] in words[i : i + 3]]
    assert chain.n_samples == len(usable) == chain.chosen.sum() and chain.dropped == len(words) - 3 - len(usable)
    kept = {(*sorted(words[i : i + 3]), words[i + 2], words[i + 3]) for i in usable}
    rows = [
        (*sorted(np.repeat(names, chain.counts[u])), names[chain.last[u]], names[j])
        for u in range(len(chain.last))
        for j in np.flatnonzero(chain.chosen[u])
    ]
    assert set(rows) == kept


def test_real_text_keeps_the_most_frequent_words() -> None:
    chain = from_text(language_reference(), Params())
    assert chain.vocab_size == 12 and chain.names[0] == "the" and chain.n_samples > 1000
    assert from_text(language_reference(), Params(vocab_size=5)).vocab_size == 5
    masked = from_text(language_reference(), Params(include_self="no"))
    assert (masked.counts.sum(axis=1) == 5).all() and masked.n_samples < chain.n_samples


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("word word word", "1 distinct words"),
        ("one two three", "3 tokens"),
        ("a b c d e f g h i", "raise prompt_length"),
    ],
)
def test_texts_that_cannot_be_used(text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        load(text.encode(), "a.txt", Params())


def log(*rows: tuple[list[Any], Any]) -> bytes:
    return "\n".join(json.dumps({"prompt": prompt, "next": token}) for prompt, token in rows).encode()


def test_a_log_is_a_design_with_observed_next_tokens() -> None:
    content = log((["a", "b", "a"], "b"), (["b", "a", "a"], "a"), (["a", "b"], "z"), (["b", "b"], "b"))
    for filename, rows in (("log.jsonl", content), ("log.json", content), ("log.ndjson", content)):
        chain = load(rows, filename, PARAMS)
        assert chain.names == ("a", "b", "z") and chain.dropped == 1 and chain.n_samples == 3
        assert chain.counts.tolist() == [[2, 1, 0], [0, 2, 0]] and chain.last.tolist() == [0, 1]
        assert chain.chosen.tolist() == [[1, 1, 0], [0, 1, 0]]
    listed = json.dumps([json.loads(line) for line in content.decode().split("\n")]).encode()
    assert load(listed, "log.json", PARAMS).fingerprint == chain.fingerprint


def test_the_smoothed_fit_approaches_the_chain_that_wrote_the_log() -> None:
    generator, true = np.random.default_rng(0), np.array([*P[:2], [0.3, 0.1, 0.6]])
    rows: list[tuple[list[int], int]] = []
    for _ in range(3000):
        prompt = generator.integers(3, size=4).tolist()
        mass = true[prompt[-1]] * np.bincount(prompt, minlength=3)
        rows.append((prompt, int(generator.choice(3, p=mass / mass.sum()))))
    chain = load(log(*rows), "log.jsonl", PARAMS)
    assert chain.dropped == 0 and np.abs(chain.transition - true).max() < 0.06 and chain.has_labels


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (log(([0, 1], 2)), "none of the 1 prompts contains its next token"),
        (log(([0, 1], 1), ([], 1)), "row 1"),
        (log(([0, -1, 1], 0)), "row 0.*token -1"),
        (log(([0, 64], 0)), "token 64; at most 64"),
        (log(([str(i) for i in range(70)], "3")), "70 distinct words"),
        (log(([0, 1.5], 0)), "line 1 has token 1.5"),
        (b'{"prompt": [1]}', "line 1 is"),
        (log(([0, 1], 1), (["a"], "a")), "mixes both"),
    ],
)
def test_logs_that_cannot_be_used(content: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        load(content, "log.jsonl", PARAMS)


def test_masked_queries_drop_rows_that_repeat_the_query() -> None:
    content = log(([0, 1], 1), ([0, 1], 0), ([2, 0, 1], 2))
    chain = load(content, "log.jsonl", Params(include_self="no"))
    assert chain.dropped == 1 and chain.counts.tolist() == [[1, 0, 0], [1, 0, 1]]


def test_a_report_names_what_is_unknown_and_what_to_collect() -> None:
    content = log((["tea", "cup", "on"], "tea"), (["rum", "mug", "on"], "mug"))
    report = identifiability_report(load(content, "log.jsonl", Params(include_self="no")))
    assert report.coverage.rank == 2 and len(report.unknown) == report.coverage.n_unidentifiable == 18
    assert "after on: rum against tea" in [ratio.sentence for ratio in report.unknown]
    assert report.unseen_last == (0, 1, 3, 4)
    assert (
        report.summary
        == "2 of 20 independent log-ratios can be learnt from these prompts; no prompt ends in 4 of 5 tokens."
    )
    assert [(s.last, s.gain) for s in report.suggestions][-1] == (2, 2)
    whole = identifiability_report(load(npy(np.array(P)), "a.npy", PARAMS))
    assert not whole.unknown and not whole.suggestions and whole.summary.startswith("6 of 6")
