"""Segments partition a document whatever its pages and tokens are like."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hmt_ingest.segmenting import segment_pages
from hmt_qa.types import EncodedText, Page
from tests.hmt_ingest.fakes import HashEngine

TOKENIZER = Path(__file__).parents[2] / "hmt_qa" / "assets" / "hmt-small" / "tokenizer.json"
PAGES = st.lists(st.text(st.sampled_from("ab \n\t,é漢😀")) | st.just(""), max_size=8)


def paged(texts: list[str]) -> list[Page]:
    return [Page(number=number, label=str(number), text=text) for number, text in enumerate(texts, start=1)]


def bytewise(text: str) -> EncodedText:
    """A token for each UTF-8 byte but none for spaces: characters are cut over tokens, gaps are left."""
    spans = [(place, place + 1) for place, character in enumerate(text) if character != " " for _ in character.encode()]
    return EncodedText(ids=[ord(text[start]) for start, _ in spans], spans=spans)


def assert_partition(texts: list[str], encode: Callable[[str], EncodedText], length: int) -> None:
    pages = paged(texts)
    cut = list(segment_pages(iter(pages), encode=encode, length=length))
    expected_ids = [token for page in pages for token in encode(page.text).ids]
    if not expected_ids:
        assert cut == []
        return
    segments = [one.segment for one in cut]
    text = "".join(texts)
    assert "".join(segment.text for segment in segments) == text
    assert [token for segment in segments for token in segment.token_ids] == expected_ids
    assert [len(segment.token_ids) for segment in segments[:-1]] == [length] * (len(segments) - 1)
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
    assert_partition(texts, HashEngine().encode, length)


@settings(max_examples=300, deadline=None)
@given(PAGES, st.integers(1, 7))
def test_segments_partition_even_where_characters_are_cut_over_tokens(texts, length):
    assert_partition(texts, bytewise, length)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=6), st.integers(1, 16))
def test_segments_partition_with_the_real_tokenizer(texts, length):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(TOKENIZER))

    def encode(text: str) -> EncodedText:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        return EncodedText(ids=encoding.ids, spans=encoding.offsets)

    assert_partition(texts, encode, length)


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
