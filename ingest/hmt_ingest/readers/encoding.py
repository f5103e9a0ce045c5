"""How the bytes of a text file are to be read: by byte order mark, as UTF-8, or as the likeliest older encoding."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hmt_ingest.naming import shown
from hmt_qa.errors import UnsupportedFile

_HEAD_BYTES = 1 << 16
_SAMPLE_BYTES = 1 << 14
_CHUNK_CHARACTERS = 1 << 16
# Escape and backspace stand in terminal logs; more than one other control character in twenty is no text.
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b")) + b"\x7f"
_CONTROL_SHARE = 0.05
_WESTERN = "cp1252"

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """A codec's name and what to do with bytes that it does not know: `strict` or `replace`."""

    name: str
    errors: str


def read_head(path: Path) -> bytes:
    """The first bytes of a file, enough to tell what it is."""
    with path.open("rb") as stream:
        return stream.read(_HEAD_BYTES)


def looks_binary(head: bytes) -> bool:
    """Whether a file that begins so is no text. UTF-16 and UTF-32 are text only with their byte order mark."""
    if marked_encoding(head):
        return False
    return b"\0" in head or len(head) - len(head.translate(None, _CONTROLS)) > _CONTROL_SHARE * len(head)


def marked_encoding(head: bytes) -> Encoding | None:
    """The encoding that a byte order mark states, if there is one."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name=name, errors="replace")
    return None


def guess_legacy_encoding(path: Path, problem: UnicodeDecodeError) -> Encoding:
    """The likeliest encoding of a file that is not UTF-8, from the bytes around the first that is not."""
    from charset_normalizer import from_bytes

    # The start of the failing chunk may lie inside a character, as may its end: the detector allows for both.
    sample = problem.object[max(0, problem.start - _SAMPLE_BYTES // 2) : problem.start + _SAMPLE_BYTES // 2]
    matches = from_bytes(sample, cp_exclusion=["utf_7"])
    best = matches.best()
    if best is None:
        raise UnsupportedFile(
            f"{shown(path)} holds text in no known encoding.", subject=shown(path), remedy="Convert it to UTF-8."
        ) from problem
    # Between encodings that fit the sample equally well the detector goes by the alphabet; Western is the commonest.
    equals = [one for one in matches if (one.chaos, one.coherence) == (best.chaos, best.coherence)]
    western = any(_WESTERN in one.could_be_from_charset for one in equals)
    return Encoding(name=_WESTERN if western else best.encoding, errors="replace")


def decoded_chunks(path: Path, encoding: Encoding) -> Iterator[str]:
    """The file's text in chunks, line ends as newlines. Raises `UnicodeDecodeError` where `encoding` is strict."""
    with path.open(encoding=encoding.name, errors=encoding.errors, newline=None) as stream:
        while chunk := stream.read(_CHUNK_CHARACTERS):
            yield chunk
