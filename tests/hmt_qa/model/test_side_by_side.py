from __future__ import annotations

import pytest
import torch

from hmt_qa.engine import LocalEngine
from hmt_qa.model.candidates import ReadTogether
from hmt_qa.model.odds import odds_of
from hmt_qa.model.prompts import Prompt

STOPS, NEVER = (3, 9), 16383


def prompts(engine: LocalEngine) -> list[Prompt]:
    torch.manual_seed(5)
    size = engine.model.config.hidden_size
    return [Prompt(torch.randn(2, size), tuple(torch.randint(16384, (count,)).tolist())) for count in (7, 21, 2)]


def read(engine: LocalEngine, *, most: int = 6, refusal: int = NEVER) -> ReadTogether:
    return ReadTogether.of(engine.model, prompts(engine), most=most, stop_ids=STOPS, refusal=refusal)


def test_each_prompt_begins_as_it_would_alone(engine: LocalEngine) -> None:
    for prompt, begun in zip(prompts(engine), read(engine).begun, strict=True):
        assert prompt.memory_MD is not None
        alone = engine.generate(prompt.memory_MD[None], prompt.ids, max_new_tokens=6, stop_ids=STOPS)
        assert list(begun.ids) == list(alone)


def test_a_refusal_is_never_written_but_how_likely_it_was_is_told(engine: LocalEngine) -> None:
    first = read(engine).begun[0].ids[0]
    begun = read(engine, refusal=first).begun[0]
    assert first not in begun.ids
    prompt = prompts(engine)[0]
    assert prompt.memory_MD is not None
    odds = odds_of(engine.model, prompt.memory_MD[None], prompt.ids, begun.ids, refusal=first)
    assert begun.refusal == pytest.approx(odds.refusal, rel=1e-4)
    assert begun.log_probabilities == pytest.approx(odds.log_probabilities, rel=1e-3)


@pytest.mark.parametrize("most", [1, 6])
def test_every_answer_weighs_behind_every_prompt_what_a_pass_of_its_own_says(engine: LocalEngine, most: int) -> None:
    answers = [(5, 17, 200, 3), (44,), (5, 17, 9)]
    weighed_BA = read(engine, most=most).weigh(answers)
    for prompt, row_A in zip(prompts(engine), weighed_BA.tolist(), strict=True):
        assert prompt.memory_MD is not None
        alone = [odds_of(engine.model, prompt.memory_MD[None], prompt.ids, of, refusal=None) for of in answers]
        assert row_A == pytest.approx([sum(odds.log_probabilities) for odds in alone], rel=1e-3)


def test_answers_of_one_token_need_no_pass(engine: LocalEngine) -> None:
    together = read(engine)
    weighed_BA = together.weigh([(44,), (9,)])
    assert torch.equal(weighed_BA, together.first_BV[:, [44, 9]])
