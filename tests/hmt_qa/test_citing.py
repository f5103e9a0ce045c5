"""Quotes are slices of their segment, short, and the place where the answer stands."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hmt_qa.citing import QUOTE_CHARACTERS, claims, locate, page_at, sentences
from hmt_qa.types import PageSpan, Place, StoredSegment

words = st.text("abcdefghij", min_size=2, max_size=9)
prose = st.lists(words, min_size=1, max_size=80).map(" ".join)
texts = st.one_of(
    st.text(max_size=200),
    st.text("ab .!?\n-*鯨ß\u00a0\"')", max_size=900),
    st.lists(prose, max_size=6).map(". ".join),
)


def segment(text: str) -> StoredSegment:
    return StoredSegment(
        place=Place(document="d", segment=0),
        char_start=0,
        char_end=len(text),
        page_first=1,
        page_last=1,
        token_ids=(),
        text=text,
    )


def quote(answer: str, text: str, question: str = "") -> str:
    span = locate(answer, question, segment(text))
    return text[span.start : span.end]


@given(text=texts)
def test_sentences_hold_all_but_white_space_in_order_without_overlap(text):
    reached = 0
    for start, end in sentences(text):
        assert reached <= start < end <= len(text)
        assert not text[reached:start].strip()
        assert text[start:end] == text[start:end].strip()
        reached = end
    assert not text[reached:].strip()


def test_sentences_end_where_a_reader_would_end_them():
    text = 'He said "stop." Then he left! Did he?\n\nA new paragraph\n- an item\n- another'
    assert [text[start:end] for start, end in sentences(text)] == [
        'He said "stop."',
        "Then he left!",
        "Did he?",
        "A new paragraph",
        "- an item",
        "- another",
    ]


@given(answer=st.text(max_size=60), question=st.text(max_size=30), text=texts)
def test_every_located_span_is_a_slice_no_longer_than_a_quote_may_be(answer, question, text):
    span = locate(answer, question, segment(text))
    assert 0 <= span.start <= span.end <= len(text)
    assert span.end - span.start <= QUOTE_CHARACTERS
    assert 0.0 <= span.share <= 1.0
    assert bool(text[span.start : span.end].strip()) == bool(text.strip())


@given(sentences_=st.lists(prose, min_size=1, max_size=6, unique=True), data=st.data())
def test_the_sentence_that_holds_the_answers_words_wins(sentences_, data):
    answer = data.draw(st.lists(st.text("uvwxyz", min_size=3, max_size=8), min_size=1, max_size=6).map(" ".join))
    place = data.draw(st.integers(0, len(sentences_) - 1))
    said = [*sentences_]
    said[place] = f"kl {answer} mn"
    text = ". ".join(said) + "."
    span = locate(answer, "", segment(text))
    assert span.share == 1.0
    assert answer in text[span.start : span.end]
    assert text[span.start : span.end].startswith("kl ")


@given(before=texts, answer=words, after=texts)
def test_a_quote_shows_an_answer_that_stands_there_to_the_letter(before, answer, after):
    text = f"{before}{answer.upper()}{after}"
    assume(len(sentences(text)) == 1)  # one long sentence: only shortening can lose the answer
    assume(answer not in before.casefold())
    assert answer.upper() in quote(answer, text)


def test_a_long_sentence_without_spaces_is_quoted_around_the_answer():
    text = "鯨" * 500 + "白" * 5 + "鯨" * 100 + "\n" + "海" * 300
    assert "白" * 5 in quote("白" * 5, text)


def test_a_long_sentence_is_cut_at_white_space():
    text = " ".join(f"word{number}" for number in range(200))
    cut = quote("word120 word121", text)
    assert "word120 word121" in cut
    assert len(cut) > QUOTE_CHARACTERS / 2
    assert set(cut.split()) <= set(text.split())


def test_words_in_one_run_win_over_the_same_words_scattered():
    text = "White was the hull and the whale dived. They saw the white whale. The whale was grey."
    assert quote("white whale", text) == "They saw the white whale."


def test_without_the_answers_words_the_sentence_nearest_to_the_question_is_shown():
    text = "The ship sailed in May. The captain was called Ahab. It rained."
    assert quote("", text, "Who was the captain?") == "The captain was called Ahab."
    assert quote("zebra", text, "Who was the captain?") == "The captain was called Ahab."


def test_an_answer_longer_than_the_text_finds_what_there_is():
    span = locate("the white whale " * 50, "", segment("A white whale."))
    assert (span.start, span.end) == (0, 14)
    assert 0 < span.share < 0.5


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_an_empty_text_has_nothing_to_quote(text):
    span = locate("whale", "Where?", segment(text))
    assert span.end == span.start
    assert span.share == 0.0


def spans_of(lengths: list[int]) -> list[PageSpan]:
    ends = [sum(lengths[:count]) for count in range(len(lengths) + 1)]
    return [
        PageSpan(number=number, label=str(number), char_start=ends[number - 1], char_end=ends[number])
        for number in range(1, len(lengths) + 1)
    ]


@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=9), character=st.integers(0, 90))
def test_the_page_of_a_character_is_the_one_that_holds_it_and_past_the_end_the_last(lengths, character):
    page = page_at(spans_of(lengths), character)
    if character < sum(lengths):
        assert page.char_start <= character < page.char_end
    else:
        assert page.number == len(lengths)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("1904", ["1904"]),
        ("Agnes Farrow kept it. It opened in 1904.", ["Agnes Farrow kept it.", "It opened in 1904."]),
        ("Dr. Smith kept the lamp. Yes.", ["Dr. Smith kept the lamp. Yes."]),
        ("Dr. Smith", ["Dr. Smith"]),
        ("", []),
    ],
)
def test_an_answers_sentences_are_cited_each_and_abbreviations_are_none(answer, expected):
    assert [answer[start:end] for start, end in claims(answer)] == expected


@given(text=texts)
def test_claims_hold_all_of_the_answer_but_white_space(text):
    whole = "".join(text[start:end] for start, end in claims(text))
    assert "".join(whole.split()) == "".join(text.split())
