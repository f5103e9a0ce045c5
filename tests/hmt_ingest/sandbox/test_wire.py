"""What a child says arrives as it was meant, or is refused; whatever bytes come, nothing else happens."""

from __future__ import annotations

import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmt_ingest.sandbox import wire
from hmt_qa.types import Page, TextBox

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
SIDES = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def pages(draw) -> Page:
    text = draw(TEXTS)
    places = st.integers(0, len(text))
    boxes = [
        TextBox(char_start=min(ends), char_end=max(ends), left=left, bottom=bottom, right=right, top=top)
        for ends, left, bottom, right, top in draw(
            st.lists(st.tuples(st.tuples(places, places), SIDES, SIDES, SIDES, SIDES), max_size=5)
        )
    ]
    return Page(
        number=draw(st.integers(1, 1_000_000)),
        label=draw(TEXTS),
        text=text,
        width=draw(SIDES),
        height=draw(SIDES),
        boxes=tuple(boxes),
        borders=tuple(sorted(draw(st.lists(places, max_size=5)))),
        unread=draw(TEXTS),
    )


def heard(said: bytes) -> list[object]:
    """What arrives of these bytes before the other end closes."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sending = threading.Thread(target=lambda: (theirs.sendall(said), theirs.shutdown(socket.SHUT_WR)))
        sending.start()
        try:
            return list(wire.frames(ours, seconds=20))
        finally:
            ours.close()
            sending.join()


@given(st.lists(pages(), max_size=4))
def test_pages_arrive_as_they_were(sent):
    header = wire.Header(title="A title", media_type="text/x", page_count=len(sent))
    said = wire.header_frame(header) + b"".join(map(wire.page_frame, sent)) + wire.frame(b"E")
    assert heard(said) == [header, *sent, None]


def test_a_problem_ends_the_talk():
    problem = wire.Problem(kind="CorruptFile", message="It is broken: \ufffd", remedy="Mend it.")
    sent = wire.Problem(kind="CorruptFile", message="It is broken: \ud800", remedy="Mend it.")
    assert heard(wire.problem_frame(sent) + b"and more") == [problem]


@given(st.binary(max_size=300))
def test_any_bytes_are_nonsense_or_an_end(said):
    with pytest.raises((wire.Nonsense, wire.Gone)):
        heard(b"X" + said if said[:1] in b"E" else said)


@given(pages(), st.data())
def test_a_page_with_one_byte_changed_is_still_a_page_or_nonsense(page, data):
    said = bytearray(wire.page_frame(page))
    said[data.draw(st.integers(5, len(said) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        (arrived, _) = heard(bytes(said) + wire.frame(b"E"))
    except wire.Nonsense:
        return
    assert isinstance(arrived, Page)
    assert all(0 <= box.char_start <= box.char_end <= len(arrived.text) for box in arrived.boxes)
    assert all(0 <= border <= len(arrived.text) for border in arrived.borders)
    arrived.text.encode("utf-8")


PAGE = Page(number=1, label="1", text="words\n")
WHOLE = wire.page_frame(PAGE)


@pytest.mark.parametrize(
    "said",
    [
        wire.frame(b"Q"),
        struct.pack("<cI", b"P", 1 << 30),
        WHOLE[:-1] + b"\xff",
        wire.frame(b"P", WHOLE[5:] + b"more"),
        wire.frame(b"H", b"[]"),
        wire.frame(b"H", b"[" * 100_000),
        wire.frame(b"H", b'{"title": 1, "media_type": "", "page_count": 1}'),
        wire.frame(b"H", b'{"title": "", "media_type": "", "page_count": 2000000000}'),
        wire.frame(b"X", b'{"kind": "CorruptFile"}'),
    ],
)
def test_what_breaks_the_rules_is_nonsense(said):
    with pytest.raises(wire.Nonsense):
        heard(said)


def test_an_end_in_the_middle_of_a_page_is_one():
    for cut in (1, 4, 5, 20, len(WHOLE) - 1):
        with pytest.raises(wire.Gone):
            heard(WHOLE[:cut])


def test_silence_is_noticed():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(WHOLE[:10])
        with pytest.raises(wire.Silence):
            list(wire.frames(ours, seconds=0.05))


def test_no_part_of_ours_unpickles():
    import hmt_ingest.sandbox.child
    import hmt_ingest.sandbox.forkserver
    import hmt_ingest.sandbox.starting

    for module in (wire, hmt_ingest.sandbox.child, hmt_ingest.sandbox.forkserver, hmt_ingest.sandbox.starting):
        assert not {"pickle", "marshal", "multiprocessing"} & set(vars(module))
