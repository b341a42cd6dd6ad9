"""Where a figure came from, written into the figure itself: SVG, PDF and PNG each have a place for it."""

from __future__ import annotations

import re
import struct
import zlib
from html import escape


def into_svg(svg: bytes, title: str, description: str, record: str) -> bytes:
    """The SVG with a title, a text alternative and ``record`` (JSON) as metadata."""
    inside = (
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
        f'<metadata id="theorem-bench">{escape(record)}</metadata>'
    )
    text = svg.decode()
    end = text.index(">", text.index("<svg")) + 1
    return (text[:end] + inside + text[end:]).encode()


def into_png(png: bytes, title: str, description: str, record: str) -> bytes:
    """The PNG with UTF-8 text chunks ``Title``, ``Description`` and ``theorem-bench`` (JSON)."""
    start = 8 + 4 + 4 + 13 + 4  # signature, then the header chunk, which must stay first
    chunks = b"".join(
        _chunk(b"iTXt", key.encode() + b"\0\0\0\0\0" + text.encode())
        for key, text in (("Title", title), ("Description", description), ("theorem-bench", record))
    )
    return png[:start] + chunks + png[start:]


def into_pdf(pdf: bytes, title: str, description: str, record: str) -> bytes:
    """The PDF with a document information dictionary (Title, Subject, Keywords), appended as an incremental update.

    Returned unchanged when the file has no classic trailer to continue.
    """
    start = re.findall(rb"startxref\s+(\d+)\s+%%EOF", pdf)
    trailers = re.findall(rb"trailer\s*<<(.*?)>>\s*startxref", pdf, re.DOTALL)
    size = re.search(rb"/Size\s+(\d+)", trailers[-1]) if trailers else None
    root = re.search(rb"/Root\s+(\d+\s+\d+\s+R)", trailers[-1]) if trailers else None
    if not start or size is None or root is None:
        return pdf
    number = int(size[1])
    body = pdf if pdf.endswith(b"\n") else pdf + b"\n"
    fields = (("Title", title), ("Subject", description), ("Keywords", record), ("Creator", "Theorem Bench"))
    entries = b" ".join(
        b"/" + key.encode() + b" <FEFF" + text.encode("utf-16-be").hex().encode() + b">" for key, text in fields
    )
    item = b"%d 0 obj\n<< %s >>\nendobj\n" % (number, entries)
    table = b"xref\n%d 1\n%010d 00000 n \n" % (number, len(body))
    trailer = b"trailer\n<< /Size %d /Root %s /Info %d 0 R /Prev %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        number + 1,
        root[1],
        number,
        start[-1],
        len(body) + len(item),
    )
    return body + item + table + trailer


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
