from __future__ import annotations

from math import exp, log

import pytest

from hmt_qa.agreeing import Belief, agreed, mixed


def test_an_answer_that_one_reading_finds_impossible_is_not_taken():
    first = Belief(refusal=0.0, answers=[log(0.6), log(0.3)])
    second = Belief(refusal=0.0, answers=[log(0.001), log(0.5)])
    assert agreed(first, second) == 1


def test_parts_count_by_their_weight():
    parts = [Belief(refusal=0.2, answers=[log(0.5)]), Belief(refusal=0.6, answers=[log(0.1)])]
    together = mixed(parts, [0.75, 0.25])
    assert together.refusal == pytest.approx(0.75 * 0.2 + 0.25 * 0.6)
    assert exp(together.answers[0]) == pytest.approx(0.75 * 0.8 * 0.5 + 0.25 * 0.4 * 0.1)


def test_what_a_part_says_though_it_would_rather_refuse_hardly_counts():
    sure = Belief(refusal=1.0, answers=[log(0.9), log(0.1)])
    other = Belief(refusal=0.0, answers=[log(0.2), log(0.4)])
    assert agreed(mixed([sure, other], [0.5, 0.5]), Belief(refusal=0, answers=[0.0, 0.0])) == 1


def test_a_single_part_is_itself():
    part = Belief(refusal=0.0, answers=[-1.0, -2.0])
    assert mixed([part], [1.0]).answers == pytest.approx(part.answers)
