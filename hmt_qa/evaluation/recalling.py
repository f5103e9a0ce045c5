"""What the model recalls for each question of a cell: P and the segments in the order of their weights.

Shapes: N segments of a document · M memories a segment · Q questions · D hidden size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hmt_qa.evaluation.lockstep import Batching, memories, summaries
from hmt_qa.evaluation.selection import Cell
from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.model.memory import MemoryBank
from hmt_qa.retrieval import CANDIDATES

_QUESTIONS = 64  # recalled at once


@dataclass(frozen=True, slots=True)
class Recalled:
    """prompt_MD: P of a question over its whole document. weights: of all its segments."""

    prompt_MD: Tensor
    weights: tuple[float, ...]

    @property
    def ranking(self) -> list[int]:
        """The CANDIDATES heaviest segments, best first."""
        order = sorted(range(len(self.weights)), key=lambda segment: -self.weights[segment])
        return order[:CANDIDATES]


def recall_cells(
    model: HMTForCausalLM, cells: Sequence[Cell], question_ids: Sequence[Sequence[Sequence[int]]], *, batching: Batching
) -> list[list[Recalled]]:
    """For each question of each cell; all documents of all cells are read in lock-step."""
    documents = [[segment.token_ids for segment in document.segments] for cell in cells for document in cell.documents]
    rows = memories(model, documents, batching=batching)
    found, begin = [], 0
    for cell, ids in zip(cells, question_ids, strict=True):
        found.append(_recalled(model, cell, ids, rows[begin : begin + len(cell.documents)], batching))
        begin += len(cell.documents)
    return found


@torch.inference_mode()
def _recalled(
    model: HMTForCausalLM, cell: Cell, ids: Sequence[Sequence[int]], rows: Sequence[Tensor], batching: Batching
) -> list[Recalled]:
    if not cell.asked:
        return []
    summary_QD = summaries(model, ids, batching=batching)
    of_document: dict[int, list[int]] = defaultdict(list)
    for place, asked in enumerate(cell.asked):
        of_document[asked.document].append(place)
    made: dict[int, Recalled] = {}
    for document, all_places in of_document.items():
        bank = MemoryBank.of(rows[document])
        for first in range(0, len(all_places), _QUESTIONS):
            places = all_places[first : first + _QUESTIONS]
            rows_QMND = bank.rows_BMND.expand(len(places), -1, -1, -1).contiguous()
            many = MemoryBank(rows_QMND, bank.counts_B.repeat(len(places)))
            prompt_QMD = model.recall(summary_QD[places], many).prompt_BMD
            weights_QN = model.weigh(summary_QD[places], many).cpu()
            for place, prompt_MD, weights_N in zip(places, prompt_QMD, weights_QN, strict=True):
                made[place] = Recalled(prompt_MD, tuple(weights_N.tolist()))
    return [made[place] for place in range(len(cell.asked))]
