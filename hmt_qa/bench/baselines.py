"""What reading is compared with, in the same run: the published loop, the whole text as context, a sentence encoder.

Shapes: L tokens a segment · M memories a segment · N segments remembered · T tokens · D hidden size · V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from hmt_qa.model import backbone
from hmt_qa.model.hmt import HMTForCausalLM


@torch.inference_mode()
def published_loop(model: HMTForCausalLM, ids_T: Tensor) -> list[Tensor]:
    """Read as the published reference does: two passes a segment one after the other, each with the LM head.

    Logits go to the host, memories stay there. Returns each segment's memories, (M, D) on the host.
    Source: the loop of He et al.'s code (arXiv 2405.06067), written anew for this model's M memories a segment.
    """
    config, memory = model.config, model.memory
    held: list[Tensor] = []
    sensory_K = ids_T[:0]
    for segment_L in ids_T.split(config.segment_length):
        ask_1D = memory.summary_prompt_D[None]
        head_JD = _embedded(model, segment_L[: config.summary_length])
        about_D = _with_logits(model, torch.cat([ask_1D, head_JD, ask_1D]))[0][-1]
        prompt_MD = _recalled(model, about_D, held) if held else memory.initial_memory_MD
        inner_TD = _embedded(model, torch.cat([sensory_K, segment_L]))
        hidden_TD, logits_TV = _with_logits(model, torch.cat([prompt_MD, inner_TD, prompt_MD]))
        logits_TV.cpu()
        held.append(hidden_TD[-config.memories_per_segment :].cpu())
        joined = torch.cat([sensory_K, segment_L])
        sensory_K = joined[len(joined) - min(config.sensory_length, len(joined)) :]
    return held


def _recalled(model: HMTForCausalLM, about_D: Tensor, held: Sequence[Tensor]) -> Tensor:
    memories_NMD = torch.stack(list(held[-model.config.recall_window :])).to(about_D.device)
    query_H: Tensor = model.memory.query(about_D)
    keys_NMH: Tensor = model.memory.key(memories_NMD)
    weights_NM = (keys_NMH @ query_H / sqrt(len(query_H))).float().softmax(dim=0).to(memories_NMD.dtype)
    return (weights_NM[..., None] * memories_NMD).sum(dim=0)


def _embedded(model: HMTForCausalLM, ids_T: Tensor) -> Tensor:
    return backbone.embed(model.backbone, ids_T)


def _with_logits(model: HMTForCausalLM, embeds_TD: Tensor) -> tuple[Tensor, Tensor]:
    output: Any = model.backbone(inputs_embeds=embeds_TD[None], output_hidden_states=True, use_cache=False)
    return cast(Tensor, output.hidden_states[-1][0]), cast(Tensor, output.logits[0])


@torch.inference_mode()
def whole_as_context(model: HMTForCausalLM, ids_T: Tensor) -> Tensor:
    """The first token's logits, (V,), when the backbone is given the whole text instead of a memory."""
    hidden_1TD = backbone.last_hidden(model.backbone, _embedded(model, ids_T)[None])
    return backbone.logits(model.backbone, hidden_1TD[0, -1])


def sentence_vectors(folder: Path, texts: Sequence[str], device: torch.device) -> int:
    """Encode texts by MiniLM; returns how many there were."""
    from hmt_qa.evaluation.minilm import MiniLM

    return len(MiniLM(folder, device=device).vectors(texts))
