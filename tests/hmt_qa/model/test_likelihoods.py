from __future__ import annotations

import pytest
import torch

from hmt_qa.engine import LocalEngine
from hmt_qa.model import backbone
from hmt_qa.model.likelihoods import likelihoods

PAIRS = [((5, 17, 200), (44, 9)), ((7,), (8, 8, 8, 8)), ((1, 2, 3, 4, 5, 6), (30,))]


def test_padding_and_company_change_nothing(engine: LocalEngine) -> None:
    together = likelihoods(engine.model, PAIRS)
    assert together == pytest.approx([likelihoods(engine.model, [pair])[0] for pair in PAIRS], rel=1e-4)


def test_it_is_the_sum_over_the_second_parts_tokens(engine: LocalEngine) -> None:
    (before, after), *_ = PAIRS
    with torch.inference_mode():
        embeds_1TD = backbone.embed(engine.model.backbone, torch.tensor([[*before, *after]]))
        logs_TV = backbone.logits(engine.model.backbone, backbone.last_hidden(engine.model.backbone, embeds_1TD))[0]
    logs_TV = logs_TV.log_softmax(-1)
    wanted = sum(float(logs_TV[len(before) - 1 + step, token]) for step, token in enumerate(after))
    assert likelihoods(engine.model, [(before, after)]) == pytest.approx([wanted], rel=1e-4)
