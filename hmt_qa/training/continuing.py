"""Recall of what was read just before: the gradient of next-token loss alone teaches Wq and Wk too slowly.

Shapes: B documents · S segments · M memories a segment · R = B S segments of this process · C segments of all ·
D hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.training.losses import contrast_loss
from hmt_qa.training.parallel import Place


def continuation_loss(
    model: HMTForCausalLM, memories_BSMD: Tensor, summaries_BSD: Tensor, lengths_BS: Tensor, place: Place
) -> tuple[Tensor, Tensor]:
    """A segment's summary finds the memories of the segment before it, among earlier ones and other documents'.

    Each of the M places is a choice of its own, as in recall. Returns the sum and how many choices there were.
    """
    documents, segments, memories, _ = memories_BSMD.shape
    query_RD = model.memory.fold(summaries_BSD.flatten(0, 1))
    rows_CMD = place.gathered(memories_BSMD.float().flatten(0, 1).flatten(1)).unflatten(1, (memories, -1))
    real_C = place.gathered((lengths_BS > 0).float().flatten()[:, None])[:, 0] > 0
    number_C = torch.arange(len(rows_CMD), device=query_RD.device)
    number_R1 = torch.arange(documents * segments, device=query_RD.device)[:, None] + place.rank * documents * segments
    other_RC = number_R1 // segments != number_C // segments
    allowed_RC = (other_RC | (number_C < number_R1)) & real_C
    positive_RC = (number_C == number_R1 - 1) & ~other_RC & real_C[number_R1]
    scores_MRC = query_RD @ rows_CMD.permute(1, 2, 0)
    repeated = (memories, 1)
    return contrast_loss(scores_MRC.flatten(0, 1), positive_RC.repeat(repeated), allowed_RC.repeat(repeated))
