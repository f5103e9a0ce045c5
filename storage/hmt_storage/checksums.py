"""Rows of text as they are stored, and what their checksums cover: a library and a bundle of it have the same ones."""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple

_SEGMENT = struct.Struct("<5q2q")
_PAGE = struct.Struct("<3q2d2q")
_TURN = struct.Struct("<qd3q")


class SegmentRow(NamedTuple):
    """A segment's place, tokens and text, as in `tables.SegmentRecord`."""

    number: int
    char_start: int
    char_end: int
    page_first: int
    page_last: int
    token_ids: bytes
    text: str

    @property
    def checksum(self) -> bytes:
        """SHA-256 over every field; raises struct.error for a number beyond 64 bits."""
        *places, token_ids, text = self
        raw = text.encode()
        return hashlib.sha256(_SEGMENT.pack(*places, len(token_ids), len(raw)) + token_ids + raw).digest()


class PageRow(NamedTuple):
    """A page's place, size, label and packed boxes, as in `tables.PageRecord`."""

    number: int
    char_start: int
    char_end: int
    width: float
    height: float
    label: str
    boxes: bytes

    @property
    def checksum(self) -> bytes:
        """SHA-256 over every field; raises struct.error for a number beyond 64 bits."""
        *places, label, boxes = self
        raw = label.encode()
        return hashlib.sha256(_PAGE.pack(*places, len(raw), len(boxes)) + raw + boxes).digest()


class TurnRow(NamedTuple):
    """A question of a conversation with its answer, as in `tables.TurnRecord`."""

    number: int
    asked_at: float
    question: str
    about: str
    answer: str

    @property
    def checksum(self) -> bytes:
        """SHA-256 over every field; raises struct.error for a number beyond 64 bits."""
        number, asked_at, *texts = self
        raw = [text.encode() for text in texts]
        return hashlib.sha256(_TURN.pack(number, asked_at, *map(len, raw)) + b"".join(raw)).digest()
