"""Several documents' reading state on the device, and the pass that takes all of them on by a group of segments.

Shapes: R rows (documents) · G segments of a group · L tokens a segment · K sensory tokens · M memories a segment ·
N segments recalled at most · D hidden size.

Nothing here moves, grows or asks the host: that is what a CUDA graph needs. A document's memories stand in a ring,
segment n at slot n mod N, so that a document which is read on finds them where they were and every sum keeps its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hmt_kernels.dispatch import remember
from hmt_qa.model.capturing import Capture
from hmt_qa.model.fused import FusedLayers
from hmt_qa.model.hmt import HMTForCausalLM, Segments
from hmt_qa.model.memory import MemoryBank

PASS_TOKENS = 65_536
"""Tokens of one representation pass at most: activations are bounded, and a GPU is busy with far fewer."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a row begins: the document's newest memories, how many segments it has, and the last K ids before."""

    bank_NMD: Tensor
    committed: int
    before: Sequence[int]


class Board:
    """R documents, each in a row of its own. Not safe between threads: one pass is launched after another.

    On a GPU the pass is recorded, with `fused` layers where there are any; on a CPU it runs as it is.
    """

    def __init__(self, model: HMTForCausalLM, *, rows: int, group: int, fused: FusedLayers | None = None) -> None:
        config, device, dtype = model.config, model.device, model.dtype
        memories, hidden = config.memories_per_segment, config.hidden_size
        self._model = model
        self.device = device
        self.rows, self.group, self.length = rows, group, config.segment_length
        whole = torch.zeros(0, device=device, dtype=torch.long)
        self.ids_GRL = whole.new_zeros(group, rows, config.segment_length)
        self.lengths_GR = whole.new_zeros(group, rows)
        self.memories_GRMD = torch.zeros(group, rows, memories, hidden, device=device, dtype=dtype)
        self._bank_RMND = torch.zeros(rows, memories, config.recall_window, hidden, device=device, dtype=dtype)
        self._counts_R = whole.new_zeros(rows)
        self._sensory_RK = whole.new_zeros(rows, config.sensory_length)
        self._sensory_lengths_R = whole.new_zeros(rows)
        self._pass = Capture(self._read_group, device, fused=fused)
        with torch.inference_mode():
            self._pass.prepare()  # while no row has a segment that its trial runs would remember

    def place(self, row: int, start: Start) -> None:
        """Give a row to another document."""
        window, kept = self._bank_RMND.shape[2], len(start.bank_NMD)
        slots_N = torch.arange(start.committed - kept, start.committed, device=self.device) % window
        before = start.before[-self._sensory_RK.shape[1] :] if self._sensory_RK.shape[1] else ()
        with torch.inference_mode():
            self._bank_RMND[row][:, slots_N] = start.bank_NMD.transpose(0, 1).to(self._bank_RMND.dtype)
            self._counts_R[row] = start.committed
            self._sensory_RK[row, : len(before)] = torch.tensor(before, dtype=torch.long).to(self.device)
            self._sensory_lengths_R[row] = len(before)

    def read(self) -> None:
        """Read `ids_GRL`: `memories_GRMD` are then the memories of all segments with a length that is not 0.

        A row without segments, and a segment that is left out, change nothing. On a GPU this returns at once.
        """
        with torch.inference_mode():
            self._pass()

    def _read_group(self) -> None:
        summaries_GRD = self._summaries()
        for number in range(self.group):
            self._step(number, summaries_GRD[number])

    def _summaries(self) -> Tensor:
        """S of all segments, in as few passes as there may be: they need no memory."""
        flat = Segments(self.ids_GRL.flatten(0, 1), self.lengths_GR.flatten())
        at_once = max(PASS_TOKENS // self.length, 1)
        parts = zip(flat.ids_BW.split(at_once), flat.lengths_B.split(at_once), strict=True)
        summaries = [self._model.represent(Segments(*part)) for part in parts]
        return torch.cat(summaries).view(self.group, self.rows, -1)

    def _step(self, number: int, summary_RD: Tensor) -> None:
        bank = MemoryBank(self._bank_RMND, self._counts_R.clamp(max=self._bank_RMND.shape[2]))
        segments = Segments(self.ids_GRL[number], self.lengths_GR[number])
        sensory = Segments(self._sensory_RK, self._sensory_lengths_R)
        prompt_RMD = self._model.recall(summary_RD, bank).prompt_BMD
        memory_RMD = self._model.memorise(segments, prompt_RMD, sensory)
        self.memories_GRMD[number].copy_(memory_RMD)
        remember(self._bank_RMND, self._counts_R, memory_RMD, segments.lengths_B > 0)
        after = segments.tail(self._sensory_RK.shape[1], sensory)  # of no segment: what was there
        self._sensory_RK.copy_(after.ids_BW)
        self._sensory_lengths_R.copy_(after.lengths_B)
