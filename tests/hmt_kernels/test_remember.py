"""A ring holds the newest segments' memories, each at its own slot.

Shapes: B documents · M memories a segment · N slots · D hidden size.
"""

from __future__ import annotations

import pytest
import torch

from hmt_kernels.dispatch import remember


@pytest.mark.parametrize("slots", [1, 3, 8])
def test_each_document_has_its_newest_segments_at_their_numbers_modulo_the_slots(slots: int) -> None:
    ring_BMND, counts_B = torch.full((3, 2, slots, 4), float("nan")), torch.zeros(3, dtype=torch.long)
    read: list[list[torch.Tensor]] = [[], [], []]
    generator = torch.Generator().manual_seed(slots)
    for _ in range(11):
        memory_BMD = torch.randn(3, 2, 4, generator=generator)
        active_B = torch.rand(3, generator=generator) > 0.3
        remember(ring_BMND, counts_B, memory_BMD, active_B)
        for document in active_B.nonzero()[:, 0]:
            read[document].append(memory_BMD[document])
    assert counts_B.tolist() == [len(segments) for segments in read]
    for document, segments in enumerate(read):
        for number, memory_MD in list(enumerate(segments))[-slots:]:
            assert torch.equal(ring_BMND[document, :, number % slots], memory_MD)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"memory_BMD": torch.zeros(2, 2, 4)}, r"\(2, 2, 4\)"),
        ({"active_B": torch.ones(1, dtype=torch.bool)}, r"active \(B,\)"),
        ({"counts_B": torch.zeros(2, dtype=torch.int32)}, "int64"),
        ({"active_B": torch.ones(2)}, "bool"),
    ],
    ids=["memory", "active", "count dtype", "active dtype"],
)
def test_arguments_that_do_not_fit_together_are_refused(change: dict[str, torch.Tensor], message: str) -> None:
    given = {
        "ring_BMND": torch.zeros(2, 3, 5, 4),
        "counts_B": torch.zeros(2, dtype=torch.long),
        "memory_BMD": torch.zeros(2, 3, 4),
        "active_B": torch.ones(2, dtype=torch.bool),
    }
    with pytest.raises(ValueError, match=message):
        remember(**(given | change))
