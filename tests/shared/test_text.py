"""Uploads that are not what they claim, and windows of real text."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.core.errors import DataError, ParameterError
from theory.next_token.own.windows import from_text
from theory.shared.files.text import (
    decode_upload,
    encode,
    language_reference,
    parse_jsonl_sequences,
    tokenise,
    vocabulary,
    windows,
)

TEXT = "Größe, naïve café — “quotes”\nand a second line\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings_are_recognised(encoding: str) -> None:
    plain = TEXT if encoding != "utf-16-le" else "plain western text without a mark\n"
    assert decode_upload(plain.encode(encoding)) == plain


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_western_single_byte_text(encoding: str) -> None:
    assert decode_upload("Größe, naïve café".encode(encoding)) == "Größe, naïve café"


BAD: list[tuple[str, bytes, str]] = [
    ("upload_empty", b"", "0 bytes"),
    ("upload_empty", b" \n\t ", "no text"),
    ("upload_too_large", b"a" * 1001, "at most 0.0 MiB"),
    ("upload_binary", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "byte 8 is zero"),
    ("upload_binary", bytes(range(1, 256)), "line 1 contains control character 0x01"),
    ("upload_mixed_encoding", "café\n".encode() + "naïve".encode("latin-1"), "line 2 has byte 0xef"),
    ("upload_mixed_encoding", b"\xef\xbb\xbfabc\xff", "starts as utf-8-sig but byte"),
    ("upload_mixed_encoding", b"\xff\xfea\x00b", "starts as utf-16"),
]


@pytest.mark.parametrize(("code", "content", "says"), BAD)
def test_uploads_that_cannot_be_text(code: str, content: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        decode_upload(content, max_bytes=1000)
    assert caught.value.code == code


@given(st.binary(max_size=300))
def test_any_bytes_give_text_or_a_sentence(content: bytes) -> None:
    for read in (decode_upload, parse_jsonl_sequences):
        try:
            read(content)
        except DataError as error:
            assert error.code.startswith(("upload_", "jsonl_"))


def test_jsonl_rows() -> None:
    rows = parse_jsonl_sequences(b'{"sequence": [3, 1], "label": 3}\n\n[0, 2, 0]\r\n')
    assert (rows.sequences, rows.labels, rows.names) == ([[3, 1], [0, 2]], [3, 0], ())
    words = parse_jsonl_sequences('["tea", "cup\u2028", "tea"]\n["tea", "tea"]'.encode())
    assert (words.sequences, words.labels, words.names) == ([[0, 1], [0]], [0, 0], ("tea", "cup\u2028"))


def test_a_json_document_of_rows_is_read_like_lines() -> None:
    lines = '{"prompt": ["tea", "cup"], "next": "tea"}\n{"prompt": ["cup"], "next": "cup"}'
    document = "[\n" + lines.replace("\n", ",\n") + "\n]"
    assert parse_jsonl_sequences(document.encode()) == parse_jsonl_sequences(lines.encode())
    assert parse_jsonl_sequences(b"[\n3,\n3\n]").sequences == [[3]]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("[1, 2", "line 2 is not JSON"),
        ("[" * 100_000, "line 2 is not JSON"),
        ("3", "line 2 is 3; expected"),
        ("[]", "line 2 is"),
        ('{"sequence": [1]}', "line 2 is"),
        ('{"sequence": 1, "label": 2}', "line 2 is"),
        ("[1, 2.5]", "line 2 has token 2.5"),
        ("[1, true]", "line 2 has token true"),
        ("[1, NaN]", "line 2 has token NaN"),
        ("[1, [2]]", "line 2 has token"),
        ('["a", "a"]', "mixes both"),
    ],
)
def test_jsonl_lines_that_cannot_be_used(line: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        parse_jsonl_sequences(f"[1, 1]\n{line}\n".encode())
    assert caught.value.code == "jsonl_line"


def test_tokens_and_vocabulary() -> None:
    assert tokenise("It’s a  B-side, 2 times", "words") == ["it’s", "a", "b", "side", "2", "times"]
    assert tokenise(" A\n\n b", "characters") == ["a", " ", "b"]
    with pytest.raises(ParameterError, match="unit = lines"):
        tokenise("", "lines")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="max_vocab = 0"):
        vocabulary([], 0)
    assert encode(["b", "x", "a"], ("a", "b")).tolist() == [1, 0]


@given(st.lists(st.integers(0, 3), min_size=2, max_size=30), st.integers(1, 5))
def test_windows_against_a_loop(ids: list[int], length: int) -> None:
    if len(ids) <= length:
        with pytest.raises(DataError, match=f"at least {length + 1} are needed"):
            windows(np.array(ids), length)
        return
    pairs = [(ids[i : i + length], ids[i + length]) for i in range(len(ids) - length)]
    kept = [(window, label) for window, label in pairs if label in window]
    found = windows(np.array(ids), length)
    assert list(zip(found.sequences.tolist(), found.labels.tolist(), strict=True)) == kept
    assert found.kept_fraction == len(kept) / len(pairs) and found.total == len(pairs)


def test_training_and_held_out_text_do_not_overlap() -> None:
    train, test = from_text("a b a b " * 10 + "c a c a " * 10, "words", 2, 10, held_out_fraction=0.5)
    assert train.names == test.names == ("a", "b")
    assert train.n == 38 and train.dropped == 0 and test.n == 18
    with pytest.raises(DataError, match="held-out part has 1 tokens"):
        from_text("a a a a a", "words", 2, 10, 0.2)
    with pytest.raises(DataError, match="none of the 6 windows"):
        from_text("a b c d e f g h i j", "words", 2, 10, 0.2)
    with pytest.raises(ParameterError, match="held_out_fraction = 1"):
        from_text("a b", held_out_fraction=1)


def test_the_language_reference_is_real_text_and_a_hundred_thousand_windows_are_quick() -> None:
    text = language_reference()
    assert len(text) > 300_000
    started = time.process_time()
    train, test = from_text(text * 2, "words", 8, 1500)
    assert time.process_time() - started < 2
    assert train.vocab_size == 1500 and train.n + train.dropped > 80_000 and test.n > 1000


def test_half_a_surrogate_pair_becomes_a_printable_name() -> None:
    assert parse_jsonl_sequences(rb'["\ud800", "\ud800"]').names == ("?",)
