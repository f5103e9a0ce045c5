"""Segments partition a document whatever its pages and tokens are like."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmt_ingest.segmenting import segment_pages
from hmt_qa.types import EncodedText, Page
from tests.hmt_ingest.fakes import HashEngine

TOKENIZER = Path(__file__).parents[2] / "hmt_qa" / "assets" / "hmt-small" / "tokenizer.json"
BORDERED = st.lists(
    st.tuples(st.text(st.sampled_from("ab \n\t,é漢😀")), st.lists(st.integers(0, 60), max_size=6)), max_size=8
)
PAGES = st.lists(st.text(st.sampled_from("ab \n\t,é漢😀")) | st.just(""), max_size=8)


def paged(texts: list[str]) -> list[Page]:
    return [Page(number=number, label=str(number), text=text) for number, text in enumerate(texts, start=1)]


def bytewise(text: str) -> EncodedText:
    """A token for each UTF-8 byte but none for spaces: characters are cut over tokens, gaps are left."""
    spans = [(place, place + 1) for place, character in enumerate(text) if character != " " for _ in character.encode()]
    return EncodedText(ids=[ord(text[start]) for start, _ in spans], spans=spans)


def bordered(pages: list[tuple[str, list[int]]]) -> list[Page]:
    return [
        Page(number=number, label="", text=text, borders=sorted({place for place in places if place <= len(text)}))
        for number, (text, places) in enumerate(pages, start=1)
    ]


def assert_partition(pages: list[Page], encode: Callable[[str], EncodedText], length: int) -> None:
    texts = [page.text for page in pages]
    cut = list(segment_pages(iter(pages), encode=encode, length=length))
    expected_ids = [token for page in pages for token in encode(page.text).ids]
    if not expected_ids:
        assert cut == []
        return
    segments = [one.segment for one in cut]
    text = "".join(texts)
    assert "".join(segment.text for segment in segments) == text
    assert [token for segment in segments for token in segment.token_ids] == expected_ids
    if not any(page.borders for page in pages):
        assert [len(segment.token_ids) for segment in segments[:-1]] == [length] * (len(segments) - 1)
    assert all(length <= 2 * len(segment.token_ids) <= 2 * length for segment in segments[:-1])
    assert 1 <= len(segments[-1].token_ids) <= length
    assert [segment.number for segment in segments] == list(range(len(segments)))
    assert [segment.char_start for segment in segments] == [0, *(segment.char_end for segment in segments[:-1])]
    assert segments[-1].char_end == len(text)
    assert [page for one in cut for page in one.pages] == pages
    start_of, position = {}, 0
    for page in pages:
        start_of[page.number] = position
        position += len(page.text)
    for one in cut:
        segment = one.segment
        assert segment.text == text[segment.char_start : segment.char_end]
        for page in one.pages:
            at = start_of[page.number]
            assert segment.char_start <= at
            assert at < segment.char_end or at == segment.char_start or segment is segments[-1]
        if segment.char_start < segment.char_end:
            touched = [
                page.number
                for page in pages
                if page.text
                and start_of[page.number] < segment.char_end
                and start_of[page.number] + len(page.text) > segment.char_start
            ]
            assert (segment.page_first, segment.page_last) == (touched[0], touched[-1])
        assert 1 <= segment.page_first <= segment.page_last <= len(pages)


@settings(max_examples=300, deadline=None)
@given(PAGES, st.integers(1, 7))
def test_segments_partition_text_tokens_and_pages(texts, length):
    assert_partition(paged(texts), HashEngine().encode, length)


@settings(max_examples=300, deadline=None)
@given(PAGES, st.integers(1, 7))
def test_segments_partition_even_where_characters_are_cut_over_tokens(texts, length):
    assert_partition(paged(texts), bytewise, length)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=6), st.integers(1, 16))
def test_segments_partition_with_the_real_tokenizer(texts, length):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(TOKENIZER))

    def encode(text: str) -> EncodedText:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        return EncodedText(ids=encoding.ids, spans=encoding.offsets)

    assert_partition(paged(texts), encode, length)


@settings(max_examples=300, deadline=None)
@given(BORDERED, st.integers(1, 9), st.sampled_from([HashEngine().encode, bytewise]))
def test_segments_partition_wherever_borders_stand(pages, length, encode):
    assert_partition(bordered(pages), encode, length)


@settings(max_examples=200, deadline=None)
@given(BORDERED, st.integers(1, 9), st.integers(0, 8))
def test_a_text_that_grows_keeps_all_segments_but_its_last(pages, length, fewer):
    def cut(some: list[Page]) -> list[tuple[int, ...]]:
        return [one.segment.token_ids for one in segment_pages(some, encode=HashEngine().encode, length=length)]

    whole, part = cut(bordered(pages)), cut(bordered(pages)[: max(0, len(pages) - fewer)])
    assert whole[: len(part[:-1])] == part[:-1]


def bordered_words(count: int, *borders: int) -> Page:
    """Words `w` of one token each; borders stand before the words of these numbers."""
    return Page(number=1, label="", text="w " * count, borders=[2 * border for border in borders])


@pytest.mark.parametrize(
    ("borders", "sizes"),
    [
        ((), [10, 10, 5]),
        ((7,), [7, 10, 8]),  # in the second half: cut there
        ((4,), [10, 10, 5]),  # in the first half: too short a segment
        ((5,), [5, 10, 10]),  # just long enough
        ((6, 8), [8, 10, 7]),  # the last of several
        ((6, 13), [6, 7, 10, 2]),
        ((10,), [10, 10, 5]),
        ((0, 25), [10, 10, 5]),
        ((16,), [10, 6, 9]),
    ],
)
def test_a_segment_ends_at_the_last_border_in_its_second_half(borders, sizes):
    cut = segment_pages([bordered_words(25, *borders)], encode=pieces, length=10)
    assert [len(one.segment.token_ids) for one in cut] == sizes


def test_a_border_inside_a_token_counts_before_the_next():
    page = Page(number=1, label="", text="aaaa bbbb cccc", borders=[7])
    cut = list(segment_pages([page], encode=pieces, length=2))
    assert [one.segment.text for one in cut] == ["aaaa bbbb", " cccc"]


def test_a_border_carried_over_a_cut_and_a_page_still_counts():
    first = Page(number=1, label="", text="w w w w w w w ", borders=[4 * 2, 6 * 2])
    second = Page(number=2, label="", text="w w w w w w ", borders=[2])
    cut = list(segment_pages([first, second], encode=pieces, length=5))
    assert [len(one.segment.token_ids) for one in cut] == [4, 4, 5]
    assert [(one.segment.page_first, one.segment.page_last) for one in cut] == [(1, 1), (1, 2), (2, 2)]


def test_white_space_at_the_end_joins_the_last_full_segment():
    cut = list(segment_pages(paged(["ab cd", "  \n", ""]), encode=HashEngine().encode, length=2))
    assert len(cut) == 1
    assert (cut[0].segment.char_end, cut[0].segment.page_first, cut[0].segment.page_last) == (8, 1, 2)
    assert [page.number for page in cut[0].pages] == [1, 2, 3]


def test_a_page_that_begins_where_a_segment_ends_belongs_to_the_next():
    cut = list(segment_pages(paged(["ab cd", "", "ef"]), encode=HashEngine().encode, length=2))
    assert [[page.number for page in one.pages] for one in cut] == [[1], [2, 3]]
    assert [(one.segment.page_first, one.segment.page_last) for one in cut] == [(1, 1), (3, 3)]


def test_a_character_cut_over_two_segments_belongs_to_the_first():
    cut = list(segment_pages(paged(["x😀y"]), encode=bytewise, length=2))
    assert [one.segment.text for one in cut] == ["x😀", "", "y"]
    assert [(one.segment.page_first, one.segment.page_last) for one in cut] == [(1, 1)] * 3


def test_pages_are_taken_only_as_segments_are_asked_for():
    taken = []

    def pages():
        for page in paged([f"word{number} " * 10 for number in range(50)]):
            taken.append(page.number)
            yield page

    segments = segment_pages(pages(), encode=pieces, length=10)
    next(segments)
    assert len(taken) <= 2


def pieces(text: str) -> EncodedText:
    found = list(re.finditer(r"\S+", text))
    return EncodedText(ids=[len(piece.group()) for piece in found], spans=[piece.span() for piece in found])
