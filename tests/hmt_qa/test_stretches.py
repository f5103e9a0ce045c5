from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hmt_qa.stretches import LONGEST, SHORTEST, WHOLE, Source, cut, stretches

SENTENCE = "The keeper of the lamp wrote down each ship that passed the point at night. "


def source(text: str, *, start: int = 0, share: float = 0.5, document: str = "d") -> Source:
    return Source(document=document, start=start, text=text, token_ids=(), share=share)


@given(st.text(alphabet="ab. \n", max_size=3_000))
def test_stretches_partition_the_text(text: str) -> None:
    spans = cut(text)
    assert "".join(text[start:end] for start, end in spans) == text


def test_paragraphs_stay_whole() -> None:
    paragraphs = [SENTENCE * 4 + "\n", SENTENCE * 6 + "\n", SENTENCE * 10 + "\n"]
    assert [text[start:end] for text in ["".join(paragraphs)] for start, end in cut(text)] == paragraphs


def test_short_lines_are_joined() -> None:
    text = "Name | Year.\n" * 40
    spans = cut(text)
    assert all(SHORTEST <= end - start < 2 * SHORTEST for start, end in spans)


def test_a_line_broken_in_a_sentence_goes_on() -> None:
    line = "a line of a printed page which ends in the middle of what it says, as lines of pages\n"
    (first, *_) = cut(line * 20)
    assert SHORTEST < first[1] <= LONGEST + len(line)


def test_a_long_paragraph_is_cut_where_sentences_end() -> None:
    text = SENTENCE * 40
    spans = cut(text)
    assert len(text) > WHOLE
    assert all(text[start:end].endswith(". ") and end - start <= LONGEST for start, end in spans)


def test_what_follows_on_each_other_is_cut_as_one() -> None:
    paragraph = SENTENCE * 5
    first, second = paragraph[:210], paragraph[210:]
    parts = [source(second, start=210, share=0.7), source(first, share=0.2), source(paragraph, start=210, document="e")]
    found = stretches(parts)
    assert [stretch.text for stretch in found] == [paragraph.strip()] * 2
    assert found[0].share == 0.2


def test_a_stretch_has_the_share_of_the_passage_that_holds_its_middle() -> None:
    parts = [source(SENTENCE, share=0.2), source(SENTENCE * 4, start=len(SENTENCE), share=0.7)]
    assert [stretch.share for stretch in stretches(parts)] == [0.7]


def test_white_space_is_nothing_to_read() -> None:
    assert stretches([source(" \n\n ")]) == []
