"""Tiny random models of every backbone family we test with, checkpoints of them, and documents to read."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from transformers import GPTNeoXConfig, LlamaConfig, MambaConfig, OPTConfig, PreTrainedConfig, Qwen3Config

from hmt_qa.app import EMBEDDED_MODEL
from hmt_qa.model.config import HMTConfig
from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.types import Segment

VOCABULARY = 64
FAMILIES = ("llama", "qwen3", "gpt_neox", "opt", "mamba")


def backbone_config(family: str, **changes: Any) -> PreTrainedConfig:
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "initializer_range": 0.2}
    attention = {"num_attention_heads": 4, "max_position_embeddings": 128}
    grouped = attention | {"intermediate_size": 48, "num_key_value_heads": 2}
    kinds: dict[str, tuple[type[PreTrainedConfig], dict[str, Any]]] = {
        "llama": (LlamaConfig, grouped),
        "qwen3": (Qwen3Config, grouped | {"head_dim": 8, "tie_word_embeddings": True}),
        "gpt_neox": (GPTNeoXConfig, attention | {"intermediate_size": 48}),
        # the one whose embeddings are narrower than its layers
        "opt": (OPTConfig, attention | {"ffn_dim": 48, "word_embed_proj_dim": 16, "dropout": 0.0}),
        "mamba": (MambaConfig, {"state_size": 4, "expand": 2}),
    }
    kind, own = kinds[family]
    return kind(**(sizes | own | changes))


def tiny_hmt(family: str, *, seed: int = 0, backbone: dict[str, Any] | None = None, **sizes: Any) -> HMTForCausalLM:
    """A random model whose memory parameters are far from their initialisation: Wq and Wk differ, recall is uneven."""
    torch.manual_seed(seed)
    sizes = {"segment_length": 8, "sensory_length": 3, "recall_window": 2, "recall_size": 12} | sizes
    model = HMTForCausalLM(HMTConfig(backbone_config=backbone_config(family, **(backbone or {})), **sizes)).eval()
    with torch.no_grad():
        for parameter in model.memory.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
    return model


def save_with_tokenizer(model: HMTForCausalLM, directory: Path) -> Path:
    """A checkpoint's folder with the embedded model's tokenizer."""
    model.save_pretrained(directory)
    shutil.copy(EMBEDDED_MODEL / "tokenizer.json", directory / "tokenizer.json")
    return directory


class Watch:
    """Counts what runs inside a model, by hooks on its modules; where it only reads, it must not ask for a cache."""

    def __init__(self, model: HMTForCausalLM, *, reading_only: bool = True) -> None:
        self.reading_only = reading_only
        self.heads = 0
        self.passes = 0
        self.cached: list[object] = []
        model.get_output_embeddings().register_forward_hook(self._head)
        model.backbone.base_model.register_forward_hook(self._pass, with_kwargs=True)
        for module in model.backbone.base_model.modules():
            module.register_forward_pre_hook(self._module, with_kwargs=True)

    def _head(self, *_: object) -> None:
        self.heads += 1

    def _pass(self, module: object, positional: object, named: dict[str, Any], output: Any) -> None:
        self.passes += 1
        assert named["use_cache"] is not self.reading_only
        self.cached += [output.get("past_key_values"), output.get("cache_params")]

    def _module(self, module: object, positional: object, named: dict[str, Any]) -> None:
        self.cached += [named.get("past_key_values"), named.get("cache_params")]


def segments_of(rows: Sequence[Sequence[int]]) -> list[Segment]:
    """Segments of given tokens; each token stands for one character."""
    ends = [0, *accumulate(map(len, rows))]
    return [
        Segment(
            number=number,
            token_ids=tuple(row),
            char_start=ends[number],
            char_end=ends[number + 1],
            page_first=1,
            page_last=1,
            text="x" * len(row),
        )
        for number, row in enumerate(rows)
    ]


def random_segments(count: int, *, length: int = 16, last: int = 5, seed: int = 0) -> list[Segment]:
    """`count` segments of random tokens, the last one shorter."""
    chance = random.Random(seed)  # noqa: S311 (test data)
    lengths = [length] * (count - 1) + [last]
    return segments_of([[chance.randrange(16384) for _ in range(size)] for size in lengths])
