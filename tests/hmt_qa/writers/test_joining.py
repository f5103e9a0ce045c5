"""Neighbours become one passage, and no character is lost or moved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hmt_qa.types import Place, StoredSegment
from hmt_qa.writers.contract import Passage
from hmt_qa.writers.joining import joined


def passage(document: str, number: int) -> Passage:
    text = f"{document}{number}. "
    start = number * len(text)
    segment = StoredSegment(
        place=Place(document=document, segment=number),
        char_start=start,
        char_end=start + len(text),
        page_first=number + 1,
        page_last=number + 1,
        token_ids=(number,),
        text=text,
    )
    return Passage(title=document, page=number + 1, segment=segment)


def test_neighbours_are_one_in_the_documents_order_where_the_best_of_them_ranked():
    one, two, three = joined([passage("a", 7), passage("b", 3), passage("a", 2), passage("b", 2), passage("b", 4)])
    assert [p.segment.text for p in (one, two, three)] == ["a7. ", "b2. b3. b4. ", "a2. "]
    assert (two.page, two.segment.page_first, two.segment.page_last) == (3, 3, 5)
    assert (two.segment.char_start, two.segment.char_end) == (8, 20)
    assert two.segment.token_ids == (2, 3, 4)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), unique=True))
def test_every_segment_is_read_once_and_no_two_passages_touch(places):
    whole = joined([passage(*place) for place in places])
    assert sorted(token for p in whole for token in p.segment.token_ids) == sorted(number for _, number in places)
    ends = {(p.segment.place.document, p.segment.token_ids[-1] + 1) for p in whole}
    assert not ends & {(p.segment.place.document, p.segment.place.segment) for p in whole}
