from __future__ import annotations

import pytest
import torch

from hmt_qa.evaluation.lockstep import Batching
from hmt_qa.evaluation.losses import ReadingMode, document_losses, predicted_tokens
from hmt_qa.model import backbone
from hmt_qa.model.hmt import HMTForCausalLM
from tests.hmt_qa.models import VOCABULARY, tiny_hmt

BATCHING = Batching(rows=2, tokens=100)
SIZES = (37, 8, 1 + 16, 20, 2)


def documents() -> list[list[int]]:
    torch.manual_seed(4)
    return [torch.randint(VOCABULARY, (size,)).tolist() for size in SIZES]


def cut(ids: list[int], length: int = 8) -> list[list[int]]:
    return [ids[first : first + length] for first in range(0, len(ids), length)]


def own_loss(model: HMTForCausalLM, ids: list[int]) -> float:
    input_ids = torch.tensor([ids])
    with torch.inference_mode():
        return float(model(input_ids, labels=input_ids).loss) * (len(ids) - 1)


@pytest.mark.parametrize(("mode", "window"), [(ReadingMode.HMT, 2), (ReadingMode.RMT, 1)])
@pytest.mark.parametrize("family", ["qwen3", "gpt_neox"])
def test_losses_of_documents_in_lock_step_are_the_models_own(family: str, mode: ReadingMode, window: int) -> None:
    model = tiny_hmt(family, recall_window=2)
    found = document_losses(model, [cut(ids) for ids in documents()], mode=mode, batching=BATCHING)
    model = tiny_hmt(family, recall_window=window)
    assert found == pytest.approx([own_loss(model, ids) for ids in documents()], rel=1e-5)


def test_without_memory_only_sensory_tokens_stand_before_a_segment() -> None:
    model = tiny_hmt("qwen3", sensory_length=3)
    found = document_losses(model, [cut(ids) for ids in documents()], mode=ReadingMode.NONE, batching=BATCHING)
    wanted = []
    for ids in documents():
        lost = 0.0
        for start in range(0, len(ids), 8):
            begin = max(0, start - 3)
            seen = ids[begin : start + 8]
            with torch.inference_mode():
                embeds = backbone.embed(model.backbone, torch.tensor([seen]))
                scores = backbone.logits(model.backbone, backbone.last_hidden(model.backbone, embeds))[0].log_softmax(1)
            lost -= sum(float(scores[t - begin - 1, ids[t]]) for t in range(max(start, 1), begin + len(seen)))
        wanted.append(lost)
    assert found == pytest.approx(wanted, rel=1e-5)


def test_every_token_but_the_first_is_counted() -> None:
    assert predicted_tokens([cut(ids) for ids in documents()]) == [size - 1 for size in SIZES]
