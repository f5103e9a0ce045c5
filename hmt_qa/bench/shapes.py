"""Models that are only a shape: random weights, to see what a larger backbone costs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3Config

from hmt_qa.engine import LocalEngine
from hmt_qa.model.config import HMTConfig
from hmt_qa.model.hmt import HMTForCausalLM

SHAPES: dict[str, dict[str, Any]] = {
    "8b": {
        "hidden_size": 4096,
        "intermediate_size": 12_288,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 16_384,
        "initializer_range": 0.005,  # with the usual 0.02 random layers this wide are chaotic: rounding decides
    },
    "tiny": {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "vocab_size": 16_384,
    },
}
"""Qwen3's own sizes, with the embedded model's vocabulary, whose tokenizer is used."""


class ShapedEngine(LocalEngine):
    """The local engine around random weights of a shape; segments, memories and window as in `like`."""

    def __init__(self, like: Path, shape: str, *, device: str = "auto", dtype: str = "auto") -> None:
        super().__init__(like, device=device, dtype=dtype)
        self._shape = shape

    @cached_property
    def _config(self) -> HMTConfig:
        like = HMTConfig.from_pretrained(self.checkpoint.directory)
        return HMTConfig(
            backbone_config=Qwen3Config(**SHAPES[self._shape]),
            segment_length=like.segment_length,
            sensory_length=like.sensory_length,
            summary_length=like.summary_length,
            recall_window=like.recall_window,
            memories_per_segment=like.memories_per_segment,
        )

    @cached_property
    def _model(self) -> HMTForCausalLM:
        usual = torch.get_default_dtype()
        torch.set_default_dtype(self.machine.dtype)
        try:
            with self.machine.device:
                model = HMTForCausalLM(self._config)
        finally:
            torch.set_default_dtype(usual)
        model.train(mode=False)
        return model
