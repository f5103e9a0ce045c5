"""What the contents of a memory must be like, whoever wrote them; used on stored ones and on bundles from anywhere."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from math import isfinite
from typing import NamedTuple, get_type_hints

import numpy as np

from hmt_qa.chain import first_state_id, next_state_id
from hmt_storage.checksums import PageRow, SegmentRow
from hmt_storage.packing import row_bytes, unpack_boxes, unpack_tokens

MOST_CHARACTERS = 1_000_000  # of a segment, whose tokens number some hundred
MOST_NAME = 4096  # characters of a path, a title, a label
MOST_METADATA = 100_000  # characters of what a caller keeps about a document
MOST_HIDDEN = 1_000_000  # numbers of a segment's row
LARGEST_VALUE = 1e6  # of a memory: far above any hidden state, far below where a product would overflow
LARGEST_PAGE = 1e6  # points
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIZES_OF_BOXES = 24  # bytes of an unpacked box


class Flaw(Exception):
    """Contents that no ingestion writes; the message says which and where."""


class Head(NamedTuple):
    """What a memory says of itself, as in `tables.MemoryRecord`."""

    sha256: str
    reader: str
    model_id: str
    setting: str
    dtype: str
    hidden: int
    media_type: str
    size_bytes: int
    segments: int
    tokens: int
    pages: int
    characters: int
    state_id: str


class StoredRow(NamedTuple):
    """A memory row with its place in the chain, as in `tables.RowRecord`."""

    state_id: str
    sha256: bytes
    row: bytes


class Digest:
    """One hash over everything a memory holds, fed in the order: head, pages, segments."""

    def __init__(self, head: Head) -> None:
        self._hash = hashlib.sha256(json.dumps(head).encode())

    def page(self, page: PageRow) -> None:
        """The next page."""
        self._hash.update(b"p" + page.checksum)

    def segment(self, segment: SegmentRow, memory: StoredRow) -> None:
        """The next segment with its row."""
        self._hash.update(b"s" + segment.checksum + memory.sha256 + bytes.fromhex(memory.state_id))

    @property
    def value(self) -> bytes:
        """32 bytes."""
        return self._hash.digest()


def require_types(what: str, row: Sequence[object], like: type[tuple[object, ...]]) -> None:
    """Raise `Flaw` unless each value of `row` is of the exact type that the fields of `like` are annotated with."""
    for value, (name, kind) in zip(row, _kinds(like).items(), strict=True):
        if type(value) is not kind:
            raise Flaw(f"{what} has a {name} that is {type(value).__name__}, not {kind.__name__}")


@cache
def _kinds(like: type[tuple[object, ...]]) -> dict[str, type]:
    return get_type_hints(like)


def require_name(what: str, name: str, *, empty: bool = False) -> None:
    """Raise `Flaw` unless `name` is short and has no control characters."""
    if len(name) > MOST_NAME or any(character < " " or character == "\x7f" for character in name):
        raise Flaw(f"{what} is longer than {MOST_NAME} characters or has control characters in it")
    if not (name or empty):
        raise Flaw(f"{what} is empty")


def require_metadata(content: str) -> None:
    """Raise `Flaw` unless what came for a document is empty or a JSON object of a sensible size."""
    if len(content) > MOST_METADATA:
        raise Flaw(f"what is kept about a document is longer than {MOST_METADATA} characters")
    require_object(content)


def require_object(content: str) -> None:
    """Raise `Flaw` unless it is empty or a JSON object."""
    try:
        kept = json.loads(content) if content else {}
    except (ValueError, RecursionError) as error:
        raise Flaw("what is kept about a document is no JSON") from error
    if not isinstance(kept, dict):
        raise Flaw("what is kept about a document is no JSON object")


def check_head(head: Head) -> None:
    """Raise `Flaw` where the head of a memory is impossible in itself."""
    require_types("a memory", head, Head)
    for name in ("reader", "model_id", "media_type"):
        require_name(f"a memory's {name}", getattr(head, name))
    require_name("a memory's setting", head.setting.replace("\n", " "), empty=True)
    for name in ("sha256", "state_id"):
        if not _SHA256.fullmatch(getattr(head, name)):
            raise Flaw(f"a memory's {name} is no SHA-256 in hexadecimal digits")
    if not 1 <= head.hidden <= MOST_HIDDEN:
        raise Flaw(f"a memory row cannot have {head.hidden} numbers")
    try:
        row_bytes(head.dtype, head.hidden)
    except ValueError as error:
        raise Flaw(str(error)) from error
    if min(head.segments, head.pages, head.tokens) < 1 or min(head.size_bytes, head.characters) < 0:
        raise Flaw("a memory counts fewer pages, segments, tokens, bytes or characters than there can be")


def checked_pages(head: Head, rows: Iterable[tuple[PageRow, bytes]]) -> Iterator[PageRow]:
    """The pages, once each is what it must be; raises `Flaw`. `rows` pairs them with their stored checksums."""
    count, end = 0, 0
    for page, checksum in rows:
        count += 1
        require_types(f"page {count}", page, PageRow)
        if (page.number, page.char_start) != (count, end) or page.char_end < page.char_start:
            raise Flaw(f"page {count} does not follow on the page before")
        if not all(isfinite(side) and 0 <= side <= LARGEST_PAGE for side in (page.width, page.height)):
            raise Flaw(f"page {count} has an impossible size")
        _require_checksum(f"page {count}", page, checksum)
        require_name(f"the label of page {count}", page.label, empty=True)
        _check_boxes(page)
        end = page.char_end
        yield page
    if (count, end) != (head.pages, head.characters):
        raise Flaw(f"{count} pages of {end} characters are there, {head.pages} of {head.characters} should be")


def checked_segments(
    head: Head, rows: Iterable[tuple[SegmentRow, bytes, StoredRow]]
) -> Iterator[tuple[SegmentRow, StoredRow]]:
    """The segments with their rows, once each is what it must be and the chain of states holds; raises `Flaw`.

    A memory without text has segments without tokens: their chain cannot be computed again, only its head compared.
    """
    count, end, tokens, state_id, with_text = 0, 0, 0, first_state_id(head.model_id), True
    for segment, checksum, memory in rows:
        what = f"segment {count}"
        require_types(what, segment, SegmentRow)
        require_types(what, memory, StoredRow)
        with_text = bool(segment.token_ids) if count == 0 else with_text
        _check_place(head, segment, number=count, start=end)
        _require_checksum(what, segment, checksum)
        _check_text(segment, with_text=with_text)
        check_row(f"the memory row of {what}", head, memory)
        if with_text:
            ids = unpack_tokens(segment.token_ids)
            state_id = next_state_id(state_id, ids, head.model_id)
            tokens += len(ids)
        elif not _SHA256.fullmatch(memory.state_id):
            raise Flaw(f"{what} has a state id that is no SHA-256")
        else:
            state_id = memory.state_id
        if memory.state_id != state_id:
            raise Flaw(f"the state after {what} is not the one its tokens lead to")
        count, end = count + 1, segment.char_end
        yield segment, memory
    if (count, end, state_id) != (head.segments, head.characters, head.state_id) or (
        with_text and tokens != head.tokens
    ):
        raise Flaw("the segments are not as many, as long, or in the state that the memory says")


def check_row(what: str, head: Head, memory: StoredRow) -> None:
    """Raise `Flaw` unless a row has its size and checksum and only numbers that a memory can have."""
    if len(memory.row) != row_bytes(head.dtype, head.hidden):
        raise Flaw(f"{what} has {len(memory.row)} bytes, {head.hidden} {head.dtype} numbers have not")
    if hashlib.sha256(memory.row).digest() != memory.sha256:
        raise Flaw(f"{what} does not match its checksum")
    if not (np.abs(numbers(memory.row, head.dtype)) <= LARGEST_VALUE).all():  # NaN compares as false
        raise Flaw(f"{what} has numbers that are not finite, or far too large")


def numbers(raw: bytes, dtype: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Raw little-endian rows as float32, flat."""
    if dtype == "bfloat16":  # the upper half of a float32
        return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(raw, "<f2" if dtype == "float16" else "<f4").astype(np.float32)


def _require_checksum(what: str, row: SegmentRow | PageRow, checksum: object) -> None:
    try:
        matches = row.checksum == checksum
    except struct.error as error:
        raise Flaw(f"{what} has a number that is too large") from error
    if not matches:
        raise Flaw(f"{what} does not match its checksum")


def _check_place(head: Head, segment: SegmentRow, *, number: int, start: int) -> None:
    what = f"segment {number}"
    if (segment.number, segment.char_start) != (number, start):
        raise Flaw(f"{what} does not follow on the segment before")
    if not 0 <= segment.char_end - segment.char_start <= MOST_CHARACTERS:
        raise Flaw(f"{what} cannot have {segment.char_end - segment.char_start} characters")
    if not 1 <= segment.page_first <= segment.page_last <= head.pages:
        raise Flaw(f"{what} stands on pages that are not there")


def _check_text(segment: SegmentRow, *, with_text: bool) -> None:
    what = f"segment {segment.number}"
    if len(segment.token_ids) % 4 or bool(segment.token_ids) is not with_text:
        raise Flaw(f"the tokens of {what} are cut or missing")
    if len(segment.text) != (segment.char_end - segment.char_start if with_text else 0):
        raise Flaw(f"{what} has a text of {len(segment.text)} characters, which is not its span")


def _check_boxes(page: PageRow) -> None:
    characters = page.char_end - page.char_start
    unpacker = zlib.decompressobj()
    try:
        # As many as there are characters and not one more: a few bytes could unpack to gigabytes.
        raw = unpacker.decompress(page.boxes, (characters + 1) * _SIZES_OF_BOXES) if page.boxes else b""
        if page.boxes and not unpacker.eof:
            raise Flaw(f"page {page.number} has more word boxes than characters")
        boxes = unpack_boxes(page.boxes) if raw else ()
    except (zlib.error, struct.error) as error:
        raise Flaw(f"the word boxes of page {page.number} cannot be unpacked") from error
    for box in boxes:
        sides = (box.left, box.bottom, box.right, box.top)
        if not 0 <= box.char_start <= box.char_end <= characters or not all(map(isfinite, sides)):
            raise Flaw(f"a word box of page {page.number} is not on the page")
