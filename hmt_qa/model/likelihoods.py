"""How likely a model finds one text behind another; no memory is read.

Shapes: B pairs · T tokens, padded on the right · N tokens of all second parts · V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hmt_qa.model import backbone
from hmt_qa.model.hmt import HMTForCausalLM

Ids = Sequence[int]


@torch.inference_mode()
def likelihoods(model: HMTForCausalLM, pairs: Sequence[tuple[Ids, Ids]]) -> list[float]:
    """Log-probability (nats) of each second part behind its first, which has one token at least; no memory is read.

    One pass over all of them, padded on the right, where causality hides it.
    """
    width = max(len(before) + len(after) for before, after in pairs)
    ids_BT = torch.tensor(
        [[*before, *after, *[0] * (width - len(before) - len(after))] for before, after in pairs], device=model.device
    )
    hidden_BTD = backbone.last_hidden(model.backbone, backbone.embed(model.backbone, ids_BT))
    rows = [row for row, (_, after) in enumerate(pairs) for _ in after]
    places = [len(before) + step - 1 for before, after in pairs for step in range(len(after))]
    logs_NV = backbone.logits(model.backbone, hidden_BTD[rows, places][None])[0].float().log_softmax(dim=-1)
    wanted_N = torch.tensor([token for _, after in pairs for token in after], device=model.device)
    logs_N = logs_NV.gather(1, wanted_N[:, None])[:, 0]
    return [float(of.sum()) for of in logs_N.split([len(after) for _, after in pairs])]
