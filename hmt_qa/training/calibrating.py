"""Sets Wq and Wk from the states a model really has when it reads on: recall starts as whitened likeness.

Memories read behind other memories lie elsewhere than those read alone, so a transform measured on the latter makes
scores too large to learn from. Shapes: R rows · D hidden size · Q questions · B documents · S segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hmt_qa.model.hmt import HMTForCausalLM, Segments
from hmt_qa.training.embedded import SCORE_SPREAD, SHRINKAGE
from hmt_qa.training.parallel import Place
from hmt_qa.training.unroll import MemoryKind, unroll

SAMPLES = 4  # batches that are measured
ROUNDS = 2  # memories depend on what was recalled, so the second round measures what the first one made


@dataclass(frozen=True, slots=True)
class Sample:
    """Documents to read, ids_BSL and lengths_BS, and what is asked; without questions the segments' summaries ask."""

    ids_BSL: Tensor
    lengths_BS: Tensor
    questions: Segments | None = None


@torch.no_grad()
def calibrate(model: HMTForCausalLM, samples: Sequence[Sample], place: Place) -> None:
    """Whiten over memories, summaries and questions of all samples but the last; there scores get `SCORE_SPREAD`.

    The last is kept apart because a transform fits the rows it was measured on too well. All processes end with the
    same weights.
    """
    for _ in range(ROUNDS):
        states = [_states(model, sample) for sample in samples]
        moments = [rows.T @ rows / len(rows) for state in states[:-1] for rows in state]
        moment_DD = place.sum(torch.stack(moments).mean(dim=0)) / place.world
        transform_DD = _whitening(moment_DD)
        memories_RD, _, asking_QD = (rows @ transform_DD for rows in states[-1])
        spread = (asking_QD @ memories_RD.T / transform_DD.shape[0] ** 0.5).std(dim=1).mean()
        transform_DD = transform_DD * (SCORE_SPREAD * place.world / place.sum(spread)).sqrt()
        model.memory.query.weight.copy_(transform_DD)
        model.memory.key.weight.copy_(transform_DD)


def _states(model: HMTForCausalLM, sample: Sample) -> tuple[Tensor, Tensor, Tensor]:
    """Memories and summaries of all segments, and the summaries that ask, (R, D) each."""
    read = unroll(model, sample.ids_BSL, sample.lengths_BS, MemoryKind.HMT, keep_tokens=sample.ids_BSL.numel())
    real = (sample.lengths_BS > 0).flatten()
    memories_RD = read.memories_BSMD.flatten(0, 1)[real].flatten(0, 1).float()
    summaries_RD = read.summaries_BSD.flatten(0, 1)[real].float()
    if (asked := sample.questions) is None:
        return memories_RD, summaries_RD, summaries_RD
    asking_QD = model.represent(asked, length=asked.ids_BW.shape[1])[asked.lengths_B > 0].float()
    return memories_RD, summaries_RD, asking_QD


def _whitening(moment_DD: Tensor) -> Tensor:
    """Symmetric W, (D, D), under which rows of this second moment have near unit ones; see `embedded.whitening`."""
    values_D, vectors_DD = torch.linalg.eigh(moment_DD.double().cpu())
    values_D = values_D.clamp(min=0)
    scale_D = (values_D + SHRINKAGE * values_D.mean()).rsqrt()
    transform_DD: Tensor = (vectors_DD * scale_D @ vectors_DD.T).to(moment_DD)
    return transform_DD
