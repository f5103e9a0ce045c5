"""What of Hugging Face's internals the model relies on."""

from __future__ import annotations

import pytest
import torch
from transformers import Gemma3TextConfig, LlamaConfig

from hmt_qa.model import backbone

TINY = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.mark.parametrize("learning", [True, False], ids=["learning", "reading"])
@pytest.mark.parametrize("kind", [LlamaConfig, Gemma3TextConfig], ids=["plain", "scaled"])
def test_looking_up_gives_the_embeddings_whatever_the_backbone_makes_of_them(kind, learning):
    torch.manual_seed(0)
    model = backbone.build_backbone(kind(**TINY, num_key_value_heads=2, head_dim=8))
    ids_BK, ids_BL = torch.randint(0, 40, (3, 2)), torch.randint(0, 40, (3, 5))
    with torch.set_grad_enabled(learning):
        table_VD, found = backbone.look_up(model, ids_BK, ids_BL)
        for ids, places in zip((ids_BK, ids_BL), found, strict=True):
            assert torch.equal(table_VD[places], backbone.embed(model, ids))
