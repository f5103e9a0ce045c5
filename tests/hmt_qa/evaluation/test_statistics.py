from __future__ import annotations

import math

import numpy as np
import pytest

from hmt_qa.evaluation import statistics


def test_values_are_those_computed_by_hand() -> None:
    assert statistics.mean([1, 2, 6]).value == 3
    assert statistics.difference([1, 2, 6], [0, 2, 1]).value == 2
    assert statistics.ratio([1, 2, 6], [2, 2, 2]).value == 1.5
    assert statistics.perplexity([10, 20], [5, 10]).value == pytest.approx(math.exp(2))
    assert statistics.perplexity_ratio([10, 20], [13, 23], [5, 10]).value == pytest.approx(math.exp(-6 / 15))


def test_documents_count_by_their_tokens_not_each_alike() -> None:
    assert statistics.perplexity([1, 300], [1, 100]).value == pytest.approx(math.exp(301 / 101))


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(0).normal(size=50)
    assert statistics.mean(values, seed=1) == statistics.mean(values, seed=1)
    assert statistics.mean(values, seed=1) != statistics.mean(values, seed=2)


def test_intervals_of_the_mean_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(7)
    covered = [
        (estimate := statistics.mean(rng.exponential(2.0, size=60))).low <= 2.0 <= estimate.high for _ in range(200)
    ]
    assert 0.88 <= np.mean(covered) <= 0.99


def test_what_two_columns_have_in_common_cancels_in_their_difference() -> None:
    rng = np.random.default_rng(3)
    common, noise = rng.normal(scale=10, size=80), rng.normal(scale=0.1, size=80)
    paired = statistics.difference(common + noise + 0.2, common)
    assert 0.1 < paired.low < paired.high < 0.3


def test_an_interval_of_a_constant_is_a_point_and_of_nothing_is_not_a_number() -> None:
    constant = statistics.mean([0.5] * 9)
    assert (constant.low, constant.high) == (0.5, 0.5)
    nothing = statistics.mean([])
    assert nothing.count == 0
    assert math.isnan(nothing.value)


def test_the_ratio_of_nothing_is_not_a_number() -> None:
    assert math.isnan(statistics.ratio([1.0, 2.0], [0.0, 0.0]).value)
