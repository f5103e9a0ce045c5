"""What a child tells us about its document: frames of numbers and UTF-8, no pickle. What comes in is not trusted.

A frame is a letter, a length and as many bytes. The header (H) and a problem (X) are JSON objects; a page (P) is packed
numbers, then label, `unread` and text, then borders and boxes; the end (E) is empty.
"""

from __future__ import annotations

import json
import math
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hmt_qa.types import Page, TextBox

MAX_CHARACTERS = 200_000
"""Of one page: more than anybody sets on one, and little enough to tokenise at once."""
MAX_BOXES = 50_000
"""Words of one page that have a place."""
MAX_PAGES = 1_000_000
"""Of one document."""
MAX_LABEL = 200
MAX_TITLE = 1_000

_PATIENT_SECONDS = 0.5
_FRAME = struct.Struct("<cI")
_PAGE = struct.Struct("<IddIIIII")  # number, width, height; bytes of label, unread, text; borders, boxes
_BOX = struct.Struct("<IIdddd")
_MAX_BYTES = 4 * MAX_CHARACTERS + _BOX.size * MAX_BOXES + (1 << 16)
# One character for one, so that places stay true: what no database, terminal or tokenizer should have to take.
_UNSPEAKABLE = re.compile("[\x00\ud800-\udfff]")


class Nonsense(Exception):
    """The child broke the rules: only one that was taken over by its document does."""


class Silence(Exception):
    """The child said nothing for too long."""


class Gone(Exception):
    """The child ended in the middle of what it had to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a document says about itself before its first page."""

    title: str
    media_type: str
    page_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a document cannot be read: the name of a `FileProblem` with its message and remedy."""

    kind: str
    message: str
    remedy: str


def frame(kind: bytes, content: bytes = b"") -> bytes:
    """A whole frame."""
    return _FRAME.pack(kind, len(content)) + content


def header_frame(header: Header) -> bytes:
    """The first frame of a document."""
    return frame(b"H", _json(title=_speakable(header.title)[:MAX_TITLE], media_type=header.media_type,
                             page_count=header.page_count))  # fmt: skip


def problem_frame(problem: Problem) -> bytes:
    """The last frame of a document that cannot be read, or not to its end."""
    return frame(b"X", _json(kind=problem.kind, message=_speakable(problem.message), remedy=problem.remedy))


def page_frame(page: Page) -> bytes:
    """A page, within `MAX_CHARACTERS` and `MAX_BOXES`; a label that is too long is cut."""
    label, unread, text = (
        _speakable(part).encode() for part in (page.label[:MAX_LABEL], page.unread[:MAX_LABEL], page.text)
    )
    numbers = (page.number, page.width, page.height, len(label), len(unread), len(text))
    boxes = [_BOX.pack(b.char_start, b.char_end, b.left, b.bottom, b.right, b.top) for b in page.boxes]
    borders = struct.pack(f"<{len(page.borders)}I", *page.borders)
    packed = _PAGE.pack(*numbers, len(page.borders), len(boxes))
    return frame(b"P", b"".join([packed, label, unread, text, borders, *boxes]))


def frames(
    channel: socket.socket, *, seconds: float, while_waiting: Callable[[], None] = lambda: None
) -> Iterator[Header | Page | Problem | None]:
    """What the child says, in order: a header, pages, then None at the end, or a problem.

    `while_waiting` is called twice a second and may raise. Raises `Nonsense`, `Silence` after `seconds` without a whole
    frame, and `Gone`.
    """
    readers: dict[bytes, Callable[[bytes], Header | Page | Problem | None]] = {
        b"H": _header, b"P": _page, b"X": _problem, b"E": lambda content: None,
    }  # fmt: skip
    while True:
        deadline = time.monotonic() + seconds
        kind, size = _FRAME.unpack(_received(channel, _FRAME.size, deadline, while_waiting))
        if kind not in readers or size > _MAX_BYTES:
            raise Nonsense(f"frame {kind!r} of {size} bytes")
        content = _received(channel, size, deadline, while_waiting)
        try:
            said = readers[kind](content)
        except (ValueError, TypeError, LookupError, RecursionError, struct.error) as problem:
            raise Nonsense(f"frame {kind!r}: {problem}") from problem
        yield said
        if not isinstance(said, Header | Page):
            return


def _received(channel: socket.socket, count: int, deadline: float, while_waiting: Callable[[], None]) -> bytes:
    content = bytearray(count)
    view, done = memoryview(content), 0
    while done < count:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Silence
        channel.settimeout(min(left, _PATIENT_SECONDS))
        try:
            came = channel.recv_into(view[done:])
        except TimeoutError:
            while_waiting()
            continue
        except ConnectionError as problem:
            raise Gone from problem
        if not came:
            raise Gone
        done += came
    return bytes(content)


def _header(content: bytes) -> Header:
    said = json.loads(content)
    header = Header(
        title=_text(said["title"], MAX_TITLE),
        media_type=_text(said["media_type"], MAX_LABEL),
        page_count=int(said["page_count"]),
    )
    if not 0 <= header.page_count <= MAX_PAGES:
        raise ValueError(f"{header.page_count} pages")
    return header


def _problem(content: bytes) -> Problem:
    said = json.loads(content)
    return Problem(**{name: _text(said[name], 10_000) for name in ("kind", "message", "remedy")})


def _page(content: bytes) -> Page:
    number, width, height, *sizes, border_count, box_count = _PAGE.unpack_from(content)
    parts, at = [], _PAGE.size
    for size in sizes:
        parts.append(content[at : at + size].decode("utf-8"))
        at += size
    if at + 4 * border_count + _BOX.size * box_count != len(content):
        raise ValueError("sizes do not add up")
    label, unread, text = parts
    page = Page(
        number=number,
        label=label,
        text=text,
        width=width,
        height=height,
        boxes=tuple(_boxes(content[at + 4 * border_count :], len(text))),
        borders=struct.unpack_from(f"<{border_count}I", content, at),
        unread=unread,
    )
    _check(page)
    return page


def _boxes(packed: bytes, characters: int) -> Iterator[TextBox]:
    for start, end, *sides in _BOX.iter_unpack(packed):
        if not start <= end <= characters or not all(map(math.isfinite, sides)):
            raise ValueError(f"a box at {start}-{end}")
        left, bottom, right, top = sides
        yield TextBox(char_start=start, char_end=end, left=left, bottom=bottom, right=right, top=top)


def _check(page: Page) -> None:
    marks = (0, *page.borders, len(page.text))
    ascending = all(one <= other for one, other in pairwise(marks))
    sensible = len(page.text) <= MAX_CHARACTERS and max(len(page.label), len(page.unread)) <= MAX_LABEL
    finite = math.isfinite(page.width) and math.isfinite(page.height)
    if not (ascending and sensible and finite) or _UNSPEAKABLE.search(page.text + page.label):
        raise ValueError(f"page {page.number}")


def _text(value: object, most: int) -> str:
    if not isinstance(value, str) or len(value) > most or _UNSPEAKABLE.search(value):
        raise ValueError("not a text")
    return value


def _speakable(text: str) -> str:
    return _UNSPEAKABLE.sub("\ufffd", text)


def _json(**content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
