from __future__ import annotations

import pytest

from hmt_qa.evaluation.scoring import exact_match, f1, first_rank, hit, normalised, reciprocal


def test_normalisation_drops_case_articles_punctuation_and_extra_spaces() -> None:
    assert normalised("The  Cat's-paw, an end") == "catspaw end"


@pytest.mark.parametrize(
    ("said", "answers", "exact", "overlap"),
    [
        ("the Denver Broncos", ["Denver Broncos"], 1, 1),
        ("Denver Broncos won", ["Denver Broncos"], 0, 0.8),  # precision 2/3, recall 1
        ("Broncos", ["Denver Broncos", "Broncos"], 1, 1),  # the closest answer counts
        ("red red blue", ["red green"], 0, 0.4),  # a word counts as often as both have it: 1/3 and 1/2
        ("", ["x"], 0, 0),
        ("a", ["the"], 1, 1),  # both are nothing once normalised
        ("x", [], 0, 0),
    ],
)
def test_scores_are_those_computed_by_hand(said: str, answers: list[str], exact: float, overlap: float) -> None:
    assert exact_match(said, answers) == exact
    assert f1(said, answers) == pytest.approx(overlap)


def test_ranks_count_from_one_and_zero_is_unranked() -> None:
    assert first_rank([7, 3, 5], {5, 3}) == 2
    assert first_rank([7], {1}) == 0
    assert [hit(2, 1), hit(2, 2), hit(0, 9)] == [0, 1, 0]
    assert [reciprocal(4), reciprocal(0)] == [0.25, 0]
