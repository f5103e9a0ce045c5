"""Two kinds of evidence joined to one ranking."""

from __future__ import annotations

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmt_qa.fusion import fuse

weights = st.dictionaries(st.integers(0, 20), st.floats(1e-9, 1.0), min_size=1)
words = st.dictionaries(st.integers(0, 20), st.floats(0.0, 40.0))


@given(weights=weights, words=words, trust=st.floats(0.0, 5.0))
def test_shares_sum_to_one_and_belong_to_what_has_a_weight(weights, words, trust):
    shares = fuse(weights, words, trust=trust)
    assert shares.keys() == weights.keys()
    assert sum(shares.values()) == pytest.approx(1.0)


@given(weights=weights, trust=st.floats(0.0, 5.0))
def test_without_words_the_order_is_the_memorys(weights, trust):
    shares = fuse(weights, {}, trust=trust)
    total = sum(weights.values())
    assert shares == {thing: pytest.approx(weight / total) for thing, weight in weights.items()}


def test_a_point_of_bm25_multiplies_a_weight_by_the_power_of_the_trust():
    shares = fuse({"a": 0.2, "b": 0.2}, {"a": 3.0, "b": 1.0}, trust=0.5)
    assert shares["a"] / shares["b"] == pytest.approx(exp(1.0))


def test_a_weight_that_rounded_to_zero_can_still_be_lifted_by_words():
    shares = fuse({"a": 0.0, "b": 1.0}, {"a": 300.0}, trust=0.5)
    assert shares["a"] > shares["b"]


def test_nothing_joined_is_nothing():
    assert fuse({}, {}, trust=0.5) == {}
