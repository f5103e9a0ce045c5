"""How likely a model finds one text behind another; no memory is read.

Shapes: B pairs · T tokens, padded on the right · N tokens of all second parts · V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hmt_qa.model import backbone
from hmt_qa.model.hmt import HMTForCausalLM

Ids = Sequence[int]


_ROWS = 4  # pairs of a like length that share a pass


@torch.inference_mode()
def likelihoods(model: HMTForCausalLM, pairs: Sequence[tuple[Ids, Ids]]) -> list[float]:
    """Log-probability (nats) of each second part behind its first; both have one token at least."""
    order = sorted(range(len(pairs)), key=lambda place: sum(map(len, pairs[place])))
    found: dict[int, float] = {}
    for first in range(0, len(order), _ROWS):
        places = order[first : first + _ROWS]
        found |= zip(places, _pass(model, [pairs[place] for place in places]), strict=True)
    return [found[place] for place in range(len(pairs))]


def _pass(model: HMTForCausalLM, pairs: Sequence[tuple[Ids, Ids]]) -> list[float]:
    """Padding stands on the right, where causality hides it."""
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
