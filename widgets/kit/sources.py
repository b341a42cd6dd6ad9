"""A person's own data on a page: what was pasted or uploaded, what it is called, and names that are safe to show."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from theory.shared.files.text import language_reference
from widgets.kit.export import Upload

MAX_UPLOAD = 8_000_000
PASTED, REFERENCE = "the pasted text", "Python's language reference"
_FILE_NAMES = {PASTED: "pasted_text", REFERENCE: "language_reference"}
LONGEST_NAME = 24


@dataclass(frozen=True)
class Source:
    """The bytes of a person's own data, and what to call them."""

    content: bytes
    name: str

    def key(self, *settings: object) -> str:
        """What a study of these data at these settings belongs to."""
        return hashlib.sha256(f"{settings} ".encode() + self.content).hexdigest()

    def upload(self, suffix: str = "txt") -> Upload:
        """The data as a file of a zip: an upload keeps its name, other data get one with this suffix."""
        name = f"{_FILE_NAMES[self.name]}.{suffix}" if self.name in _FILE_NAMES else self.name
        return Upload(name, self.content)


def source_of(pasted: str, uploaded: Sequence[Any]) -> Source:
    """An upload, else what was pasted, else Python's language reference."""
    if uploaded:
        return Source(uploaded[0].contents, uploaded[0].name)
    if pasted.strip():
        return Source(pasted.encode("utf-8", "surrogatepass"), PASTED)
    return Source(language_reference().encode(), REFERENCE)


def shown_name(name: str) -> str:
    """A token's name, short and with white space made visible."""
    return (name if name.strip() else name.replace(" ", "␣"))[:LONGEST_NAME]


def plain_label(name: str) -> str:
    """A token's name as a control's label, in which markdown's own characters are escaped."""
    return "".join(f"\\{char}" if char in r"\`*_{}[]()#+-.!<>|~$&" else char for char in shown_name(name))
