"""A follow-up and the question it goes with, as one text."""

from __future__ import annotations

import pytest

from hmt_qa.following import together

REVENUE = "What was the revenue in 2020?"


@pytest.mark.parametrize(
    ("earlier", "question", "text"),
    [
        (REVENUE, "and in 2021?", "What was the revenue in 2021?"),
        (REVENUE, "What about 2021?", "What was the revenue in 2021?"),
        ("How did 2020 compare with the budget of 2020?", "And 2021?", "How did 2021 compare with the budget of 2021?"),
        (REVENUE, "and the profit in 2021?", f"{REVENUE} and the profit in 2021?"),
        (REVENUE, "and why? ", f"{REVENUE} and why?"),
        (REVENUE, "from 2021 to 2022?", f"{REVENUE} from 2021 to 2022?"),
        ("What was the revenue?", "and in 2021?", "What was the revenue? and in 2021?"),
        ("Between 2018 and 2019?", "and in 2021?", "Between 2018 and 2019? and in 2021?"),
    ],
)
def test_a_number_alone_takes_the_place_of_the_only_one_before_and_else_both_stand(earlier, question, text):
    assert together(earlier, question) == text
