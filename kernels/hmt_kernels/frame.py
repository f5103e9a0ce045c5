"""The augmented segment as defined, in plain torch: differentiable, and the path on the CPU.

Shapes: B documents · K sensory tokens · L tokens · M prompts · T = M + K + L + M places · V vocabulary · D hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor


def frame_torch(  # noqa: PLR0917  # the order of what it joins
    table_VD: Tensor,
    prompt_BMD: Tensor,
    sensory_BK: Tensor,
    sensory_lengths_B: Tensor,
    ids_BL: Tensor,
    lengths_B: Tensor,
) -> Tensor:
    """`[P ; E(sensory) ; E(x) ; P]`, (B, T, D) in the table's dtype; each row without a gap, zeros behind its end.

    `table_VD` holds the tokens' embeddings; the leading `sensory_lengths_B` and `lengths_B` ids of a row are valid.
    Source: HMT, section 3.3 (arXiv 2405.06067).
    """
    prompt_BMD = prompt_BMD.to(table_VD.dtype)
    batch, memories, _ = prompt_BMD.shape
    tokens_BD = torch.nn.functional.embedding(torch.cat([sensory_BK, ids_BL], dim=1), table_VD)
    nothing_B1D = tokens_BD.new_zeros(batch, 1, tokens_BD.shape[2])
    sources_BSD = torch.cat([prompt_BMD, tokens_BD, nothing_B1D], dim=1)
    index_BT = _sources(memories, sensory_BK.shape[1], ids_BL.shape[1], sensory_lengths_B[:, None], lengths_B[:, None])
    return sources_BSD[torch.arange(batch, device=index_BT.device)[:, None], index_BT]


def _sources(memories: int, sensory: int, length: int, sensory_lengths_B1: Tensor, lengths_B1: Tensor) -> Tensor:
    """Where each place of a row comes from, (B, T), in `[P ; sensory ; x ; nothing]`."""
    nothing = memories + sensory + length
    place_T = torch.arange(nothing + memories, device=lengths_B1.device)
    token_T = place_T - memories
    own_BT = token_T - sensory_lengths_B1
    closing_BT = own_BT - lengths_B1
    index_BT = torch.where(closing_BT < memories, closing_BT, nothing)
    index_BT = torch.where(closing_BT < 0, own_BT + memories + sensory, index_BT)
    index_BT = torch.where(own_BT < 0, place_T, index_BT)
    return torch.where(token_T < 0, place_T, index_BT)
