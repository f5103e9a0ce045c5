"""How the bytes of a text are to be read: by byte order mark, as UTF-8, or as the likeliest older encoding."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hmt_ingest.naming import shown
from hmt_ingest.readers import suffixes
from hmt_qa.errors import UnsupportedFile

_HEAD_BYTES = 1 << 16
_SAMPLE_BYTES = 1 << 14
_CHUNK_CHARACTERS = 1 << 16
# Escape and backspace stand in terminal logs; more than one other control character in twenty is no text.
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b")) + b"\x7f"
_CONTROL_SHARE = 0.05
_WESTERN = "cp1252"
_DAMAGE_SHARE = 0.25  # of what is not ASCII: in another encoding nearly nothing is UTF-8 by chance

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_STATED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_STATED_WITHIN = 2048  # bytes of a page or an XML file


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """A codec's name and what to do with bytes that it does not know: `strict` or `replace`."""

    name: str
    errors: str


UTF_8 = Encoding(name="utf-8", errors="strict")


def read_head(path: Path) -> bytes:
    """The first bytes of a file, enough to tell what it is."""
    with path.open("rb") as stream:
        return stream.read(_HEAD_BYTES)


def looks_binary(head: bytes) -> bool:
    """Whether a file that begins so is no text. UTF-16 and UTF-32 are text only with their byte order mark."""
    if _marked(head):
        return False
    return b"\0" in head or len(head) - len(head.translate(None, _CONTROLS)) > _CONTROL_SHARE * len(head)


def require_text(path: Path, head: bytes) -> None:
    """Raise `UnsupportedFile` where the file at `path`, which begins with `head`, is binary."""
    if looks_binary(head[:_HEAD_BYTES]):
        raise _binary(path)


def encoding_of(path: Path) -> Encoding:
    """The encoding of a whole text file, which is read through; raises `UnsupportedFile` for binary content."""
    head = read_head(path)
    require_text(path, head)
    if marked := _marked(head):
        return marked
    try:
        for _ in decoded_chunks(path, UTF_8):
            pass
    except UnicodeDecodeError as problem:
        # The start of the failing chunk may lie inside a character, as may its end: the detector allows for both.
        sample = problem.object[max(0, problem.start - _SAMPLE_BYTES // 2) : problem.start + _SAMPLE_BYTES // 2]
        if (found := _likeliest(sample)) is None:
            raise UnsupportedFile(
                f"{shown(path)} holds text in no known encoding.", subject=shown(path), remedy="Convert it to UTF-8."
            ) from problem
        return found
    return UTF_8


def decoded_chunks(path: Path, encoding: Encoding) -> Iterator[str]:
    """The file's text in chunks, line ends as newlines.

    Raises `UnicodeDecodeError` where `encoding` is strict, and `UnsupportedFile` at a NUL.
    """
    with path.open(encoding=encoding.name, errors=encoding.errors, newline=None) as stream:
        while chunk := stream.read(_CHUNK_CHARACTERS):
            if "\0" in chunk:
                raise _binary(path)
            yield chunk


def decoded_markup(content: bytes) -> str:
    """HTML or XML as text: by its mark, by what it says of itself, as UTF-8, or as the likeliest older encoding."""
    marked, stated = _marked(content), _STATED.search(content[:_STATED_WITHIN])
    for name in (marked.name,) if marked else ("utf-8", stated[1].decode() if stated else "ascii"):
        with suppress(UnicodeDecodeError, LookupError):
            return content.decode(name)
    found = _likeliest(content[:_SAMPLE_BYTES]) or UTF_8
    return content.decode(found.name, "replace")


def _marked(head: bytes) -> Encoding | None:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name=name, errors="replace")
    return None


def _likeliest(sample: bytes) -> Encoding | None:
    """The likeliest encoding of bytes that are not UTF-8, or not quite."""
    from charset_normalizer import from_bytes

    if _is_damaged_utf8(sample):
        return Encoding(name="utf-8", errors="replace")
    matches = from_bytes(sample, cp_exclusion=["utf_7"])
    best = matches.best()
    if best is None:
        return None
    # Between encodings that fit the sample equally well the detector goes by the alphabet; Western is the commonest.
    equals = [one for one in matches if (one.chaos, one.coherence) == (best.chaos, best.coherence)]
    western = any(_WESTERN in one.could_be_from_charset for one in equals)
    return Encoding(name=_WESTERN if western else best.encoding, errors="replace")


def _is_damaged_utf8(sample: bytes) -> bool:
    """Whether most of what is not ASCII is UTF-8: cut characters and encoded surrogates among it do not change that."""
    text = sample.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    return damaged < _DAMAGE_SHARE * sum(not character.isascii() for character in text)


def _binary(path: Path) -> UnsupportedFile:
    known = path.suffix.lower() in suffixes.TEXT
    why = "whatever its name says" if known else f"and there is no reader for {path.suffix or 'its kind'}"
    return UnsupportedFile(
        f"{shown(path)} holds binary content, {why}.",
        subject=shown(path),
        remedy="Convert it to PDF or text.",
    )
