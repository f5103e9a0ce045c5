"""A random model of a few thousand parameters with the embedded tokenizer: for what does not depend on the model."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from transformers import LlamaConfig
from transformers.utils import logging

from hmt_qa.app import EMBEDDED_MODEL
from hmt_qa.model.config import HMTConfig
from hmt_qa.model.hmt import HMTForCausalLM


def save_tiny_model(directory: Path, *, segment_length: int = 256) -> Path:
    """Write its checkpoint; returns `directory`."""
    torch.manual_seed(0)
    logging.disable_progress_bar()
    backbone = LlamaConfig(
        vocab_size=16_384,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=2 * segment_length,
    )
    HMTForCausalLM(HMTConfig(backbone_config=backbone, segment_length=segment_length)).save_pretrained(directory)
    shutil.copy(EMBEDDED_MODEL / "tokenizer.json", directory / "tokenizer.json")
    return directory
