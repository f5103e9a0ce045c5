"""Operations that reading takes, counted from the model's shapes: multiplications and additions, useful ones alone.

Shapes: J summary tokens · K sensory tokens · L tokens a segment · M memories a segment.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from hmt_qa.model.hmt import HMTForCausalLM


@dataclass(frozen=True, slots=True)
class Work:
    """Operations of a pass: `linear` for each token, `pairing` for each pair of a token and one before it."""

    linear: float
    pairing: float

    @classmethod
    def of(cls, model: HMTForCausalLM) -> Work:
        """Of the backbone's layers; embeddings are looked up, and the LM head does not run while reading."""
        layers = model.backbone.base_model
        inner = sum(module.weight.numel() for module in layers.modules() if isinstance(module, nn.Linear))
        config = model.backbone.config
        head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return cls(linear=2.0 * inner, pairing=4.0 * config.num_hidden_layers * config.num_attention_heads * head)

    def of_pass(self, tokens: int) -> float:
        """Operations of a causal pass over a row of so many tokens."""
        return self.linear * tokens + self.pairing * tokens * (tokens + 1) / 2


def of_segment(model: HMTForCausalLM, length: int) -> float:
    """Operations to read a segment of `length` tokens: what it is about, and its memory; without the recall itself."""
    work, config = Work.of(model), model.config
    about = min(length, int(config.summary_length or 0)) + 2
    return work.of_pass(about) + work.of_pass(length + config.sensory_length + 2 * config.memories_per_segment)


def of_document(model: HMTForCausalLM, tokens: int) -> float:
    """Operations to read a document of so many tokens."""
    length = int(model.config.segment_length)
    whole, rest = divmod(tokens, length)
    return whole * of_segment(model, length) + (of_segment(model, rest) if rest else 0.0)
