"""Tokens, word boxes and text as the bytes that are stored; everything is little-endian."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from hmt_qa.types import TextBox

_BOX = struct.Struct("<IIffff")
_ITEM_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


def row_bytes(dtype: str, hidden: int) -> int:
    """Size of one memory row in bytes; raises ValueError for a number format that rows are not kept in."""
    if dtype not in _ITEM_BYTES:
        raise ValueError(f"memory rows are kept as {', '.join(_ITEM_BYTES)}, not {dtype}")
    return _ITEM_BYTES[dtype] * hidden


def pack_tokens(token_ids: Sequence[int]) -> bytes:
    """Token ids as uint32."""
    return struct.pack(f"<{len(token_ids)}I", *token_ids)


def unpack_tokens(packed: bytes) -> tuple[int, ...]:
    """The inverse of `pack_tokens`."""
    return struct.unpack(f"<{len(packed) // 4}I", packed)


def pack_boxes(boxes: Sequence[TextBox]) -> bytes:
    """Word boxes as (uint32 char_start, char_end; float32 left, bottom, right, top), deflated; empty for none.

    They are compressed because a page has hundreds: raw, they would outweigh the text six to one.
    """
    if not boxes:
        return b""
    raw = b"".join(_BOX.pack(box.char_start, box.char_end, box.left, box.bottom, box.right, box.top) for box in boxes)
    return zlib.compress(raw)


def unpack_boxes(packed: bytes) -> tuple[TextBox, ...]:
    """The inverse of `pack_boxes`, up to the rounding of float32; raises zlib.error or struct.error if damaged."""
    return tuple(map(_box, _fields(packed)))


def unpack_boxes_of(packed: bytes, start: int, end: int) -> Iterator[TextBox]:
    """Only those with characters in [start, end) of the page: of the hundreds, a quote has some dozens."""
    return (_box(fields) for fields in _fields(packed) if max(fields[0], start) < min(fields[1], end))


def _fields(packed: bytes) -> Iterator[tuple[Any, ...]]:
    return _BOX.iter_unpack(zlib.decompress(packed)) if packed else iter(())


def _box(fields: tuple[Any, ...]) -> TextBox:
    start, end, left, bottom, right, top = fields
    return TextBox(char_start=start, char_end=end, left=left, bottom=bottom, right=right, top=top)


def storable(text: str) -> str:
    """`text` without what no database's UTF-8 holds: lone surrogates and NUL become `?`, so that spans stay true."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")


def printable(name: str) -> str:
    """A path or title with undecodable bytes (lone surrogates) and NUL spelled out, so that two such names stay two."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
