"""Which groups are read again, and what came before them."""

from __future__ import annotations

from hmt_qa.reading.groups import SUMMARY_BATCH, groups_from, last_ids
from tests.hmt_qa.models import random_segments, segments_of


def test_reading_on_begins_with_the_whole_group_that_was_cut():
    segments = random_segments(2 * SUMMARY_BATCH + 1)
    (first, _), (second, _) = groups_from(segments, SUMMARY_BATCH + 3, 4)
    assert [segment.number for segment in first] == list(range(SUMMARY_BATCH, 2 * SUMMARY_BATCH))
    assert [segment.number for segment in second] == [2 * SUMMARY_BATCH]


def test_nothing_is_left_to_read_of_a_finished_document():
    assert list(groups_from(random_segments(SUMMARY_BATCH + 1), SUMMARY_BATCH + 1, 4)) == []


def test_the_last_ids_reach_back_over_short_segments():
    segments = segments_of([[1, 2, 3], [4], [5]])
    assert last_ids((), segments, 4) == (2, 3, 4, 5)
    assert last_ids((8, 9), segments[2:], 4) == (8, 9, 5)
    assert last_ids((8, 9), segments, 0) == ()
    ((_, before),) = groups_from(segments, 2, 2)
    assert before == (3, 4)
