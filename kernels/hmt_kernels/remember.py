"""Remembering as defined, in plain torch: one more segment's memories into a ring, in place.

Shapes: B documents · M memories a segment · N segments a ring holds · D hidden size.

There is no key to append beside a memory: the key projection is folded into the query (docs/decisions/0005).
"""

from __future__ import annotations

from torch import Tensor


def remember_torch(ring_BMND: Tensor, counts_B: Tensor, memory_BMD: Tensor, active_B: Tensor) -> None:
    """Segment n of a document goes to slot n mod N, over the oldest where the ring is full; its count grows by one.

    `counts_B` are integers, how many segments were remembered so far. Documents outside `active_B` (bool) keep both
    ring and count. Nothing is asked of the host: a CUDA graph may record it.
    """
    batch, memories, slots, hidden = ring_BMND.shape
    slot_BM1D = (counts_B % slots)[:, None, None, None].expand(batch, memories, 1, hidden)
    new_BM1D = memory_BMD[:, :, None].to(ring_BMND.dtype)
    kept_BM1D = ring_BMND.gather(2, slot_BM1D)
    ring_BMND.scatter_(2, slot_BM1D, new_BM1D.where(active_B[:, None, None, None], kept_BM1D))
    counts_B.add_(active_B)
