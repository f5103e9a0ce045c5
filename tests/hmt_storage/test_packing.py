"""Stored bytes are little-endian and come back as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmt_qa.types import TextBox
from hmt_storage.packing import pack_boxes, pack_tokens, printable, row_bytes, storable, unpack_boxes, unpack_tokens

OFFSETS = st.integers(0, 2**32 - 1)
POINTS = st.floats(width=32, allow_nan=False)
BOXES = st.builds(TextBox, char_start=OFFSETS, char_end=OFFSETS, left=POINTS, bottom=POINTS, right=POINTS, top=POINTS)


@given(st.lists(OFFSETS))
def test_tokens_round_trip(tokens):
    assert unpack_tokens(pack_tokens(tokens)) == tuple(tokens)


def test_tokens_are_little_endian():
    assert pack_tokens([1, 2**31]) == b"\x01\0\0\0\0\0\0\x80"


@given(st.lists(BOXES, max_size=20))
def test_boxes_round_trip(boxes):
    assert unpack_boxes(pack_boxes(boxes)) == tuple(boxes)


@given(st.text(st.characters()))
def test_stored_text_is_utf8_and_as_long(text):
    stored = storable(text)
    assert len(stored) == len(text)
    stored.encode()
    printable(text).encode()


def test_rows_have_the_size_of_their_format():
    assert [row_bytes(dtype, 384) for dtype in ("float32", "bfloat16")] == [1536, 768]
    with pytest.raises(ValueError, match="float8"):
        row_bytes("float8", 1)
