from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from hmt_qa.engine import LocalEngine
from hmt_qa.model import backbone
from hmt_qa.model.prompts import Prompt
from hmt_qa.model.side_by_side import SideBySide

STOPS, NEVER = (3, 9), 16383


def prompts(engine: LocalEngine) -> list[Prompt]:
    torch.manual_seed(5)
    size = engine.model.config.hidden_size
    return [Prompt(torch.randn(2, size), tuple(torch.randint(16384, (count,)).tolist())) for count in (7, 21, 2)]


def read(engine: LocalEngine, *, most: int = 6, refusal: int = NEVER) -> SideBySide:
    return SideBySide.read(engine.model, prompts(engine), most=most, stop_ids=STOPS, refusal=refusal)


def alone(engine: LocalEngine, prompt: Prompt, ids: Sequence[int]) -> list[float]:
    """Log-probabilities of the ids behind one prompt, by a pass of their own."""
    assert prompt.memory_MD is not None
    with torch.inference_mode():
        embeds_1TD = engine.model.prompt(prompt.memory_MD[None], torch.tensor([[*prompt.ids, *ids]]))
        hidden_1TD = backbone.last_hidden(engine.model.backbone, embeds_1TD)
        logs_TV = backbone.logits(engine.model.backbone, hidden_1TD[:, -len(ids) - 1 : -1])[0].log_softmax(-1)
    return [float(logs_V[token]) for logs_V, token in zip(logs_TV, ids, strict=True)]


def test_each_prompt_begins_as_it_would_alone(engine: LocalEngine) -> None:
    for prompt, begun in zip(prompts(engine), read(engine).begun, strict=True):
        assert prompt.memory_MD is not None
        assert list(begun.ids) == list(
            engine.generate(prompt.memory_MD[None], prompt.ids, max_new_tokens=6, stop_ids=STOPS)
        )


def test_a_beginning_ends_with_its_first_stop_id(engine: LocalEngine) -> None:
    free = [begun.ids for begun in read(engine).begun]
    stop = free[0][2]
    together = SideBySide.read(engine.model, prompts(engine), most=6, stop_ids=[stop], refusal=NEVER)
    assert together.begun[0].ids == free[0][: free[0].index(stop) + 1]


def test_a_refusal_is_never_written_but_how_likely_it_was_is_told(engine: LocalEngine) -> None:
    first = read(engine).begun[0].ids[0]
    begun = read(engine, refusal=first).begun[0]
    assert first not in begun.ids
    (log,) = alone(engine, prompts(engine)[0], [first])
    assert begun.refusal == pytest.approx(2.718281828**log, rel=1e-4)


@pytest.mark.parametrize("most", [1, 6])
def test_every_answer_weighs_behind_its_prompt_what_a_pass_of_its_own_says(engine: LocalEngine, most: int) -> None:
    answers = [[(5, 17, 200, 3), (44,), (5, 17, 9)], [(9, 9)], []]
    weighed = read(engine, most=most).weigh(answers)
    for prompt, totals, of in zip(prompts(engine), weighed, answers, strict=True):
        assert totals == pytest.approx([sum(alone(engine, prompt, ids)) for ids in of], rel=1e-3)


def test_answers_of_one_token_need_no_pass(engine: LocalEngine) -> None:
    together = read(engine)
    assert together.weigh([[(44,), (9,)], [(44,)], []]) == [
        together.first_BV[0, [44, 9]].tolist(),
        together.first_BV[1, [44]].tolist(),
        [],
    ]
