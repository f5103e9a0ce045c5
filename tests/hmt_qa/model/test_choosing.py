"""Shapes: B rows · V vocabulary."""

from __future__ import annotations

import pytest
import torch

from hmt_qa.model.choosing import Choice

REFUSAL = 2


def scores(refusal_probability: float) -> torch.Tensor:
    rest = (1 - refusal_probability) / 4
    return torch.tensor([[rest, 2 * rest, refusal_probability, rest]]).log()


def likeliest(first: torch.Tensor, *, written: int = 0) -> int:
    (processor,) = Choice(refusal=REFUSAL, refuses_from=0.3).settings()["logits_processor"]
    return int(processor(torch.zeros(1, written, dtype=torch.long), first).argmax())


@pytest.mark.parametrize(("probability", "said"), [(0.29, 1), (0.31, REFUSAL), (0.9, REFUSAL)])
def test_an_answer_is_refused_from_the_wanted_probability_on(probability: float, said: int) -> None:
    assert likeliest(scores(probability)) == said


def test_what_has_begun_as_an_answer_is_not_refused_any_more() -> None:
    assert likeliest(scores(0.9), written=1) == 1


def test_without_a_threshold_the_likeliest_token_is_said() -> None:
    assert "logits_processor" not in Choice(refusal=REFUSAL).settings()
    assert "logits_processor" not in Choice(refuses_from=0.5).settings()
