"""A person's text: bytes to text, text to tokens, tokens to windows with next-token labels."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeGuard, cast

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from theory.core.errors import DataError, ParameterError

Integers = npt.NDArray[np.int64]
Unit = Literal["words", "characters"]

MAX_UPLOAD_BYTES = 32 * 2**20
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_ROW_FIELDS = (("sequence", "label"), ("prompt", "next"))
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of consecutive tokens: ``sequences`` (n, prompt_length), ``labels`` (n,) the token after each window.

    Only windows that contain their label are kept; ``kept_fraction`` of all ``total`` windows did.
    """

    sequences: Integers
    labels: Integers
    kept_fraction: float
    total: int


@dataclass(frozen=True)
class TokenRows:
    """Rows of a JSONL file: prompts and labels as token ids, ``names`` when the file had words instead of ids."""

    sequences: list[list[int]]
    labels: list[int]
    names: tuple[str, ...]


def check_size(size: int, most_bytes: int, when: str = "") -> None:
    """Refuse what has more than ``most_bytes``.

    Raises:
        DataError: ``upload_too_large``.
    """
    if size > most_bytes:
        most = f"{most_bytes / 2**20:,.{0 if most_bytes >= 2**20 else 1}f}"
        raise DataError("upload_too_large", f"the file has {size / 2**20:,.1f} MiB{when}; at most {most} MiB are read.")


def short(text: str) -> str:
    """At most 60 letters of what stands in a file, for a message.

    >>> len(short("tea " * 100))
    60
    """
    return text if len(text) <= 60 else text[:57] + "..."


def decode_upload(content: bytes, max_bytes: int = MAX_UPLOAD_BYTES) -> str:
    """Text of an uploaded file: UTF-8, UTF-16/32 (with or without mark), or else Windows-1252/Latin-1.

    Raises:
        DataError: ``upload_too_large``, ``upload_empty``, ``upload_binary`` or ``upload_mixed_encoding``.

    >>> decode_upload("naïve".encode("latin-1"))
    'naïve'
    """
    check_size(len(content), max_bytes)
    text = _decode(content)
    if not text.strip():
        raise DataError("upload_empty", f"the file has no text ({len(content)} bytes).")
    found = _CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        value = f"control character 0x{ord(found.group()):02x}"
        raise DataError("upload_binary", f"this is not a text file: line {line} contains {value}.")
    return text


def parse_jsonl_sequences(content: bytes, max_bytes: int = MAX_UPLOAD_BYTES) -> TokenRows:
    """Prompts and labels from JSON lines, or from one JSON document: a list of such rows, or one row.

    A row is ``{"sequence": [3, 1, 2], "label": 3}``, ``{"prompt": [3, 1, 2], "next": 3}`` or a list whose last entry
    is the label, ``[3, 1, 2, 3]``.
    Tokens are ids, or words throughout the file, which then get ids by first appearance.

    Raises:
        DataError: what :func:`decode_upload` raises, or ``jsonl_line`` with the line number and what was found.

    >>> parse_jsonl_sequences(b'["tea", "cup", "tea"]').names
    ('tea', 'cup')
    """
    rows = [_tokens(row, number) for number, row in _json_rows(decode_upload(content, max_bytes))]
    words = {isinstance(token, str) for row in rows for token in row}
    if len(words) > 1:
        raise DataError("jsonl_line", "tokens must be whole numbers or words throughout; the file mixes both.")
    if words != {True}:
        return TokenRows([row[:-1] for row in rows], [row[-1] for row in rows], ())
    ids: dict[str, int] = {}
    numbered = [[ids.setdefault(word, len(ids)) for word in row] for row in rows]
    # JSON can spell half a surrogate pair, which no file or page can hold.
    names = tuple(word.encode("utf-8", "replace").decode() for word in ids)
    return TokenRows([row[:-1] for row in numbered], [row[-1] for row in numbered], names)


def is_listed(document: Any) -> TypeGuard[list[Any]]:
    """Whether parsed JSON is a list of rows of prompts and labels that have names."""
    return isinstance(document, list) and isinstance(next(iter(cast("list[Any]", document)), None), dict)


def tokenise(text: str, unit: Unit) -> list[str]:
    """Lower-case words (letters, digits, inner apostrophes), or single characters with runs of white space as one.

    >>> tokenise("Don't panic, Ada!", "words")
    ["don't", 'panic', 'ada']
    """
    if unit == "words":
        return _WORD.findall(text.lower())
    if unit == "characters":
        return list(re.sub(r"\s+", " ", text.lower()).strip())
    raise ParameterError("unit", unit, "one of words, characters")


def vocabulary(tokens: Iterable[str], max_size: int) -> tuple[str, ...]:
    """The most frequent tokens, most frequent first; ties in alphabetical order.

    >>> vocabulary(["b", "a", "b", "c"], 2)
    ('b', 'a')
    """
    if max_size < 1:
        raise ParameterError("max_vocab", max_size, "a whole number of at least 1")
    frequency = Counter(tokens)
    return tuple(sorted(frequency, key=lambda token: (-frequency[token], token))[:max_size])


def encode(tokens: Sequence[str], names: Sequence[str]) -> Integers:
    """Token ids in order; tokens outside ``names`` are left out, so that their neighbours become adjacent."""
    ids = {name: position for position, name in enumerate(names)}
    found = np.fromiter((ids.get(token, -1) for token in tokens), dtype=np.int64, count=len(tokens))
    return found[found >= 0]


def windows(ids: Integers, prompt_length: int) -> Windows:
    """All windows of ``prompt_length`` consecutive tokens followed by one more token, the label.

    Raises:
        DataError: ``text_too_short``, fewer than ``prompt_length + 1`` tokens.

    >>> windows(np.array([0, 1, 0, 2]), 2).sequences.tolist()
    [[0, 1]]
    """
    if prompt_length < 1:
        raise ParameterError("prompt_length", prompt_length, "a whole number of at least 1")
    if len(ids) <= prompt_length:
        raise DataError("text_too_short", f"{len(ids)} tokens; at least {prompt_length + 1} are needed for one window.")
    sequences, labels = sliding_window_view(ids, prompt_length)[:-1], ids[prompt_length:]
    kept = np.flatnonzero((sequences == labels[:, None]).any(axis=1))
    return Windows(sequences[kept], labels[kept], len(kept) / len(labels), len(labels))


@cache
def language_reference() -> str:
    """Real English that every machine with Python has: the topics of Python's own language reference."""
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))


def _decode(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError as error:
                message = f"the file starts as {encoding} but byte {error.start} does not fit."
                raise DataError("upload_mixed_encoding", message) from error
    if b"\x00" in content:
        return _decode_wide(content)
    text = content.decode("utf-8", errors="surrogateescape")
    wrong = re.search("[\udc80-\udcff]", text)
    if wrong is None:
        return text
    if re.search("[\u0080-\ud7ff\ue000-\U0010ffff]", text):
        line = text.count("\n", 0, wrong.start()) + 1
        value = f"byte 0x{ord(wrong.group()) - 0xDC00:02x}"
        message = f"most of the file is UTF-8, but line {line} has {value} of another encoding; save it as UTF-8."
        raise DataError("upload_mixed_encoding", message)
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _decode_wide(content: bytes) -> str:
    """UTF-16 without mark: nearly all zero bytes of western text stand on one side of each pair."""
    zeros = np.frombuffer(content, dtype=np.uint8) == 0
    for side, encoding in ((0, "utf-16-be"), (1, "utf-16-le")) if len(content) % 2 == 0 else ():
        if zeros[side::2].mean() > 0.3 and not zeros[1 - side :: 2].any():
            try:
                return content.decode(encoding)
            except UnicodeDecodeError:
                break
    position = content.index(b"\x00")
    raise DataError("upload_binary", f"this is not a text file: byte {position} is zero.")


def _json_rows(text: str) -> Iterator[tuple[int, Any]]:
    """Rows with their line numbers; rows of a document count as its lines."""
    try:
        document: Any = json.loads(text)
    except (RecursionError, ValueError):
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except (RecursionError, ValueError) as error:
                    detail = f"line {number} is not JSON ({error}): {short(line)}"
                    raise DataError("jsonl_line", detail) from None
    else:
        yield from enumerate(document if is_listed(document) else [document], start=1)


def _tokens(row: Any, number: int) -> list[Any]:
    """Prompt and label of a row: all ids or words."""
    tokens: list[Any] = []
    if isinstance(row, list):
        tokens = cast("list[Any]", row)
    elif isinstance(row, dict):
        fields = cast("dict[str, Any]", row)
        for prompt, following in _ROW_FIELDS:
            if isinstance(fields.get(prompt), list) and following in fields:
                tokens = [*fields[prompt], fields[following]]
    if not tokens:
        wanted = '{"sequence": [...], "label": ...}, {"prompt": [...], "next": ...} or a list that ends in its label'
        raise DataError("jsonl_line", f"line {number} is {short(json.dumps(row))}; expected {wanted}.")
    for token in tokens:
        if type(token) not in (int, str):
            shown = short(json.dumps(token))
            raise DataError("jsonl_line", f"line {number} has token {shown}; expected an id or a word.")
    return tokens
