"""What is read of what was found: no copies, turns for the documents of a comparison."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hmt_qa.evidence import Evidence, choose, neighbours
from hmt_qa.retrieval import RankedPlace
from hmt_qa.types import Place, StoredSegment

BOILERPLATE = (
    "This document may contain forward looking statements that are subject to risks and to much that changes. "
)


def segment(text: str, *, document: str = "a", number: int = 0) -> StoredSegment:
    return StoredSegment(
        place=Place(document=document, segment=number),
        char_start=0,
        char_end=len(text),
        page_first=1,
        page_last=1,
        token_ids=(1,) if text else (),
        text=text,
    )


def found(*segments: StoredSegment) -> list[Evidence]:
    return [Evidence(RankedPlace(one.place, 0.1, 0.1, rank, 0), one) for rank, one in enumerate(segments, 1)]


def texts(evidence: list[Evidence]) -> list[str]:
    return [item.segment.text for item in evidence]


def test_the_same_text_in_two_documents_is_read_once_where_it_ranks_best():
    chosen = choose(found(segment("One. Two."), segment("one two", document="b"), segment("Three")), top=3)
    assert texts(chosen) == ["One. Two.", "Three"]


def test_boilerplate_that_differs_in_a_word_is_read_once():
    other = segment(BOILERPLATE * 2 + "Truly.", document="b")
    assert texts(choose(found(segment(BOILERPLATE * 2), other), top=2)) == [BOILERPLATE * 2]


def test_texts_that_differ_in_a_number_are_both_read_however_alike():
    years = [segment(BOILERPLATE * 3 + f"Revenue was {amount}.", document=amount) for amount in ("12.5", "13.1")]
    assert len(choose(found(*years), top=2)) == 2


def test_what_is_left_out_makes_room_for_the_next():
    copies = [segment("The same.", document=document) for document in "abc"]
    assert texts(choose(found(*copies, segment("Other.", document="d")), top=2)) == ["The same.", "Other."]


def test_documents_of_a_comparison_take_turns_and_may_say_the_same():
    given_ = found(
        segment("A one.", number=0),
        segment("A two.", number=1),
        segment("C one.", document="c"),
        segment("A one.", document="b", number=0),
        segment("B two.", document="b", number=1),
    )
    chosen = choose(given_, top=4, spanned=["b", "a"])
    assert [(item.segment.place.document, item.segment.place.segment) for item in chosen] == [
        ("a", 0), ("b", 0), ("a", 1), ("b", 1),
    ]  # fmt: skip


def test_segments_that_must_not_be_read_take_their_copies_with_them():
    given_ = found(segment("A copy.", document="b"), segment("Something else."))
    assert texts(choose(given_, top=2, without=[segment("A copy.")])) == ["Something else."]


def test_segments_without_their_text_are_no_copies_of_each_other():
    assert len(choose(found(segment("", number=0), segment("", number=1)), top=2)) == 2


@given(st.lists(st.sampled_from(["one", "two", "three", "four 4", "five 5"]), max_size=12), st.integers(1, 5))
def test_the_chosen_are_the_first_of_their_kind_in_order(words, top):
    chosen = choose(found(*(segment(word, number=number) for number, word in enumerate(words))), top=top)
    assert texts(chosen) == list(dict.fromkeys(words))[:top]


def test_neighbours_are_runs_where_the_best_of_them_ranks_and_those_without_text_stand_alone():
    order = [("a", 7), ("b", 3), ("a", 2), ("b", 2), ("b", 4)]
    runs = neighbours(found(*(segment("x", document=document, number=number) for document, number in order)))
    assert [[item.segment.place.segment for item in run] for run in runs] == [[7], [2, 3, 4], [2]]
    assert [len(run) for run in neighbours(found(segment("", number=0), segment("", number=1)))] == [1, 1]


@given(sizes=st.lists(st.integers(1, 9), max_size=8), budget=st.integers(1, 40), spread=st.booleans())
def test_within_a_budget_the_best_are_read_whole_and_the_first_whatever_it_takes(sizes, budget, spread):
    segments = [
        replace(segment(f"text {number}", document="ab"[number % 2], number=number), token_ids=(1,) * size)
        for number, size in enumerate(sizes)
    ]
    spanned = ["a", "b"] if spread else []
    everything = choose(found(*segments), top=8, spanned=spanned)
    chosen = choose(found(*segments), top=8, spanned=spanned, budget=budget)
    assert chosen == everything[: len(chosen)]
    assert len(chosen) >= min(1, len(sizes))
    spent = [len(item.segment.token_ids) for item in chosen]
    assert len(chosen) < 2 or sum(spent) <= budget
    left_out = everything[len(chosen) : len(chosen) + 1]
    assert all(sum(spent) + len(item.segment.token_ids) > budget for item in left_out)
