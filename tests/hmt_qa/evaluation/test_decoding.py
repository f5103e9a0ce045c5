from __future__ import annotations

import pytest
import torch

from hmt_qa.engine import LocalEngine
from hmt_qa.evaluation.decoding import decode
from hmt_qa.evaluation.lockstep import Batching
from hmt_qa.model import backbone
from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.model.prompts import Prompt


def prompts(model: HMTForCausalLM, vocabulary: int) -> list[Prompt]:
    torch.manual_seed(2)
    hidden = model.config.hidden_size
    return [
        Prompt(torch.randn(2, hidden) if size % 3 else None, tuple(torch.randint(vocabulary, (size,)).tolist()))
        for size in (5, 1, 30, 12, 12, 7)
    ]


@pytest.mark.parametrize("batching", [Batching(rows=8, tokens=10_000), Batching(rows=1, tokens=50)])
def test_many_prompts_at_once_are_continued_as_each_alone_by_the_engine(
    engine: LocalEngine, batching: Batching
) -> None:
    model, stops = engine.model, (3, 9)
    given = prompts(model, 16384)
    found = decode(model, given, max_new_tokens=12, stop_ids=stops, batching=batching)
    for prompt, new in zip(given, found, strict=True):
        if prompt.memory_MD is None:
            embeds = backbone.embed(model.backbone, torch.tensor([prompt.ids]))
            with torch.inference_mode():
                wanted = backbone.generate(model.backbone, embeds, max_new_tokens=12, stop_ids=stops, pad_id=3).tolist()
        else:
            stream = engine.generate(prompt.memory_MD[None], prompt.ids, max_new_tokens=12, stop_ids=stops)
            wanted = list(stream)
        assert new == wanted


def test_answers_end_with_their_first_stop_id(engine: LocalEngine) -> None:
    model = engine.model
    given = prompts(model, 16384)
    free = decode(model, given, max_new_tokens=12, stop_ids=(16383,), batching=Batching(rows=8, tokens=10_000))
    stop = free[0][2]
    ended = decode(model, given, max_new_tokens=12, stop_ids=(stop,), batching=Batching(rows=8, tokens=10_000))
    assert ended[0] == free[0][: free[0].index(stop) + 1]
    assert all(stop not in row[:-1] for row in ended)
