"""Which documents a question is about together."""

from __future__ import annotations

import pytest

from hmt_qa.spanning import spanned

REPORTS = {
    "a1": "Aurora Annual Report 2021",
    "a2": "Aurora Annual Report 2022",
    "b1": "Borealis Annual Report 2021",
    "b2": "Borealis Annual Report 2022",
}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Compare the revenue of Aurora and Borealis in 2021.", ["a1", "b1"]),
        ("Did Aurora earn more in 2021 or in 2022?", ["a1", "a2"]),
        ("What do the Aurora and Borealis reports for 2021 and 2022 say about wages?", ["a1", "a2", "b1", "b2"]),
        ("What was Aurora's revenue in 2021?", []),
        ("What was the revenue?", []),
        ("Compare Aurora and Borealis.", []),  # no year: all four might be meant, and none is named
    ],
)
def test_titles_in_the_question_name_documents_by_what_sets_them_apart(question, expected):
    assert spanned(question, REPORTS, chosen=False) == expected


@pytest.mark.parametrize("question", ["Compare the wages.", "How do they differ?", "Which is larger than the other?"])
def test_documents_chosen_by_the_user_are_looked_in_together_where_the_question_compares(question):
    two = {"x": "One", "y": "Two"}
    assert spanned(question, two, chosen=True) == ["x", "y"]
    assert spanned(question, two, chosen=False) == []
    assert spanned("Who kept the lamp?", two, chosen=True) == []
    assert spanned(question, {"x": "One"}, chosen=True) == []


def test_titles_of_a_letter_or_of_common_words_name_nothing():
    assert spanned("Is this a b and the other?", {"x": "a", "y": "b", "z": "The Other"}, chosen=False) == []
