"""Figures of confidences against cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from hmt_qa.evaluation.calibration import calibration_error, estimate, fit, reliability, risk_area, risks
from hmt_qa.evaluation.reliability_picture import draw


def test_the_regression_finds_the_odds_that_the_answers_were_drawn_with():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(20_000, 2))
    right = rng.random(20_000) < 1 / (1 + np.exp(-(numbers @ [1.5, -0.5] + 0.7)))
    (first, second), bias = fit(numbers.tolist(), right.tolist())
    assert (first, second, bias) == pytest.approx((1.5, -0.5, 0.7), abs=0.07)


def test_the_regression_of_answers_that_are_all_right_is_sure_and_finite():
    weights, bias = fit([[0.1], [0.2]], [True, True])
    assert np.isfinite([*weights, bias]).all()


def test_confidences_that_say_how_often_they_are_right_have_no_error_and_others_theirs():
    assert calibration_error([0.25] * 4, [True, False, False, False]) == 0
    assert calibration_error([0.95] * 4, [True, False, False, False]) == pytest.approx(0.7)
    (one,) = reliability([0.95] * 4, [True, False, False, False])
    assert (one.low, one.count, one.right) == (0.9, 4, 0.25)


def test_risk_counts_the_wrong_ones_among_the_surest():
    assert risks([0.2, 0.9, 0.5], [False, True, False]).tolist() == pytest.approx([0, 1 / 2, 2 / 3])
    assert risk_area([0.9, 0.1], [True, False]) < risk_area([0.1, 0.9], [True, False])


def test_an_estimate_lies_within_its_interval_and_is_nan_of_nothing():
    found = estimate(calibration_error, [0.1, 0.2, 0.9], [False, True, True], seed=1)
    assert found.low <= found.value <= found.high
    assert np.isnan(estimate(calibration_error, [], [], seed=1).value)


def test_the_picture_has_a_bar_a_bin():
    picture = draw(reliability([0.1, 0.95, 0.96], [False, True, True]), threshold=0.3)
    assert picture.count('fill="#4a7ab5"') == 2
