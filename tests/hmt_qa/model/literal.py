"""The model as the paper writes it, slowly: one document, one segment, one explicit product after another.

Written from the equations alone (He et al., arXiv 2405.06067, section 3) and never from `hmt_qa.model.hmt`, of which it
shares only the parameters. Nothing is batched, padded, folded or cached; the backbone runs through its own full
forward, LM head included, on exactly the tokens of the step.

With more than one memory a segment, each of the m trailing prompts leaves one, and each prompt is recalled among the
memories of its own place.

Shapes: d hidden size · h recall width · n segments remembered · m memories a segment · L tokens of a segment ·
v vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hmt_qa.model.hmt import HMTForCausalLM


@dataclass
class LiteralStep:
    """What the equations give for one segment. `weights` is empty for the first one, which has nothing to recall."""

    summary_d: Tensor
    weights_mn: Tensor
    prompt_md: Tensor
    memory_md: Tensor
    logits_Lv: Tensor


@dataclass
class LiteralReading:
    """A whole document, and what must be kept to read on: all memories, the last k ids, the count of segments."""

    steps: list[LiteralStep] = field(default_factory=list)
    memories: list[Tensor] = field(default_factory=list)
    sensory_ids: list[int] = field(default_factory=list)

    @property
    def logits(self) -> Tensor:
        """For each token of the document, (T, v), the scores it was predicted by."""
        return torch.cat([step.logits_Lv for step in self.steps])


def read_literally(model: HMTForCausalLM, ids: list[int]) -> LiteralReading:
    """Every segment of a document in turn; the last one may be shorter than L."""
    reading = LiteralReading()
    length = model.config.segment_length
    for start in range(0, len(ids), length):
        x_n = ids[start : start + length]
        step = _step(model, x_n, reading.sensory_ids, reading.memories)
        reading.steps.append(step)
        reading.memories.append(step.memory_md)
        k = model.config.sensory_length
        reading.sensory_ids = x_n[-k:] if k else []
    return reading


def literal_loss(reading: LiteralReading, ids: list[int], labels: list[int]) -> Tensor:
    """Mean of -log p(x_t) over all tokens but the first, which nothing predicts, and but those labelled -100."""
    lost = []
    for t in range(1, len(ids)):
        if labels[t] != -100:
            scores_v = reading.logits[t]
            lost.append(torch.logsumexp(scores_v, dim=0) - scores_v[labels[t]])
    return torch.stack(lost).mean()


def summarise_literally(model: HMTForCausalLM, ids: list[int]) -> Tensor:
    """S: the last hidden state behind [T ; E(ids) ; T]; ids are a segment's first j, or a whole question."""
    prompt_d = model.memory.summary_prompt_D
    hidden_td, _ = _backbone(model, torch.stack([prompt_d, *_embeddings(model, ids), prompt_d]))
    return hidden_td[-1]


def _step(model: HMTForCausalLM, x_n: list[int], sensory: list[int], memories: list[Tensor]) -> LiteralStep:
    summary_d = summarise_literally(model, x_n[: model.config.summary_length])
    places = range(model.config.memories_per_segment)
    found = [_search(model, summary_d, memories[-model.config.recall_window :], place) for place in places]
    prompts = [prompt_d for _, prompt_d in found]
    framed = [*prompts, *_embeddings(model, sensory), *_embeddings(model, x_n), *prompts]
    hidden_td, logits_tv = _backbone(model, torch.stack(framed))
    first = len(prompts) + len(sensory)  # where x_n begins; the place before a token is the one that predicts it
    return LiteralStep(
        summary_d,
        torch.stack([weights_n for weights_n, _ in found]),
        torch.stack(prompts),
        hidden_td[-len(prompts) :],
        logits_tv[first - 1 : first - 1 + len(x_n)],
    )


def _search(model: HMTForCausalLM, summary_d: Tensor, read: list[Tensor], place: int) -> tuple[Tensor, Tensor]:
    """a = softmax(Q K^T / sqrt(h)) and P_n = a M for one place, or its initial memory where M is empty."""
    if not read:
        return torch.zeros(0), model.memory.initial_memory_MD[place]
    memories = [memory_md[place] for memory_md in read]
    query_h = model.memory.query.weight @ summary_d
    scores = [torch.dot(query_h, model.memory.key.weight @ memory_d) / math.sqrt(len(query_h)) for memory_d in memories]
    powers = [torch.exp(score - max(scores)) for score in scores]
    weights_n = torch.stack([power / sum(powers) for power in powers])
    prompt_d = torch.zeros_like(summary_d)
    for weight, memory_d in zip(weights_n, memories, strict=True):
        prompt_d = prompt_d + weight * memory_d
    return weights_n, prompt_d


def _embeddings(model: HMTForCausalLM, ids: list[int]) -> list[Tensor]:
    return [model.backbone.get_input_embeddings().weight[number] for number in ids]


def _backbone(model: HMTForCausalLM, embeds_td: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden states after the final norm, (t, d), and next-token logits, (t, v), by the backbone's own forward."""
    output = model.backbone(inputs_embeds=embeds_td[None], output_hidden_states=True, return_dict=True)
    return output.hidden_states[-1][0], output.logits[0]
