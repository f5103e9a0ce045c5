"""Where training begins and what it leaves behind: a checkpoint's folder that `hmt_qa.model.weights` loads."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import torch

from hmt_qa.model.checkpoint import Checkpoint
from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.model.weights import load_model, save_int8

EMBEDDED = Path(__file__).resolve().parents[1] / "assets" / "hmt-small"


def begin(folder: Path, device: torch.device, **sizes: int) -> HMTForCausalLM:
    """A checkpoint in float32 on the device, ready to train; `sizes` replace entries of its configuration.

    The summary's length follows the segment's, and new memories of a segment begin as copies of those that are there.
    """
    model = load_model(Checkpoint.open(folder), dtype=torch.float32, attention="sdpa")
    if "segment_length" in sizes:
        sizes = {"summary_length": sizes["segment_length"] // 2} | sizes
    for name, value in sizes.items():
        if not hasattr(model.config, name):
            raise ValueError(f"A checkpoint's configuration has no entry {name!r}.")
        setattr(model.config, name, value)
    known_MD = model.memory.initial_memory_MD.data
    places_M = torch.arange(model.config.memories_per_segment) % len(known_MD)
    model.memory.initial_memory_MD = torch.nn.Parameter(known_MD[places_M].clone())
    return cast(HMTForCausalLM, cast(Any, model).to(device).train())


def leave(model: HMTForCausalLM, out: Path, *, tokenizer: Path, memory_trained: bool, keep_float: bool) -> None:
    """Write int8 rows to `out`, and float32 beside it in `out`-float where it is kept."""
    model.config.memory_trained = memory_trained
    out.mkdir(parents=True, exist_ok=True)
    save_int8(model, out)
    shutil.copy(tokenizer / "tokenizer.json", out / "tokenizer.json")
    if keep_float:
        exact = out.with_name(out.name + "-float")
        model.save_pretrained(exact)
        shutil.copy(tokenizer / "tokenizer.json", exact / "tokenizer.json")
