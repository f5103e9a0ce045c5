"""Weights to disk and back: whole models, int8 rows, memory parameters beside a reference to their backbone.

Only safetensors and JSON are read; nothing in a checkpoint is ever executed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from hmt_qa.errors import InvalidCheckpoint
from hmt_qa.model.checkpoint import (
    BACKBONE_REFERENCE,
    INT8_ROWS,
    MEMORY_WEIGHTS,
    WEIGHTS,
    Checkpoint,
    backbone_reference,
    fingerprint,
)
from hmt_qa.model.config import HMTConfig
from hmt_qa.model.hmt import HMTForCausalLM

SCALE = ".row_scale"


def quantise_rows(weight_RC: Tensor) -> tuple[Tensor, Tensor]:
    """int8 rows and their float32 scales (R,): each row's largest magnitude becomes 127."""
    weight_RC = weight_RC.float()
    scale_R = weight_RC.abs().amax(dim=1).clamp(min=torch.finfo(torch.float32).tiny) / 127
    return (weight_RC / scale_R[:, None]).round().to(torch.int8), scale_R


def dequantise_rows(rows_RC: Tensor, scale_R: Tensor) -> Tensor:
    """The float32 weight that int8 rows stand for."""
    return rows_RC.float() * scale_R[:, None]


def save_int8(model: HMTForCausalLM, directory: Path) -> None:
    """Store matrices as int8 rows, everything else as float32; about a byte a parameter."""
    directory.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, tensor in _untied(model).items():
        if tensor.ndim == 2:
            tensors[name], tensors[name + SCALE] = quantise_rows(tensor)
        else:
            tensors[name] = tensor.float().contiguous()
    save_file(tensors, directory / WEIGHTS, metadata={"format": "pt", "weights": INT8_ROWS})
    model.config.save_pretrained(directory)


def load_model(checkpoint: Checkpoint, *, dtype: torch.dtype, attention: str) -> HMTForCausalLM:
    """Load any of our three forms, or wrap a plain Hugging Face causal LM with an untrained memory.

    Raises `InvalidCheckpoint`.
    """
    directory = checkpoint.directory
    settings: dict[str, Any] = {"dtype": dtype, "local_files_only": True, "trust_remote_code": False}
    if attention != "sdpa":  # the default where a backbone has attention; recurrent ones refuse to be told
        settings["attn_implementation"] = attention
    try:
        if (directory / MEMORY_WEIGHTS).exists():
            model = _beside_backbone(directory, settings)
        elif not checkpoint.is_hmt:
            model = wrap(AutoModelForCausalLM.from_pretrained(directory, use_safetensors=True, **settings))
        elif checkpoint.is_int8:
            model = _from_int8(directory, settings)
        else:
            model = _whole(directory, use_safetensors=True, **settings)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as exc:
        raise InvalidCheckpoint(
            f"The model in {directory} cannot be loaded: {exc}.", subject=directory, remedy="Fetch or save it again."
        ) from exc
    return cast(HMTForCausalLM, cast(Any, model).eval())


def wrap(causal_lm: PreTrainedModel, **sizes: Any) -> HMTForCausalLM:
    """HMT around a loaded backbone, its memory parameters as initialised; `sizes` go to `HMTConfig`."""
    model = HMTForCausalLM(HMTConfig(backbone_config=causal_lm.config, **sizes))
    model.backbone = causal_lm
    return cast(HMTForCausalLM, cast(Any, model).to(dtype=causal_lm.dtype))


def save_memory(model: HMTForCausalLM, directory: Path, *, backbone: Path) -> None:
    """Store the memory parameters alone, beside a reference to the backbone's folder and its fingerprint."""
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in model.memory.state_dict().items()}
    save_file(tensors, directory / MEMORY_WEIGHTS, metadata={"format": "pt"})
    reference = {"path": str(backbone.resolve()), "fingerprint": fingerprint(backbone)}
    (directory / BACKBONE_REFERENCE).write_text(json.dumps(reference, indent=1) + "\n", encoding="utf-8")
    model.config.save_pretrained(directory)


def _untied(model: HMTForCausalLM) -> dict[str, Tensor]:
    """Every tensor once: tied names share storage, and the first of them stands for all."""
    seen: set[tuple[int, torch.Size]] = set()
    kept: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        key = (tensor.data_ptr(), tensor.shape)
        if key not in seen:
            seen.add(key)
            kept[name] = tensor
    return kept


def _from_int8(directory: Path, settings: dict[str, Any]) -> HMTForCausalLM:
    tensors = load_file(directory / WEIGHTS)
    weights = {
        name: dequantise_rows(tensor, tensors[name + SCALE]) if name + SCALE in tensors else tensor
        for name, tensor in tensors.items()
        if not name.endswith(SCALE)
    }
    config = HMTConfig.from_pretrained(directory)
    return _whole(None, config=config, state_dict=weights, **settings)


def _whole(directory: Path | None, **settings: Any) -> HMTForCausalLM:
    """The model, none of whose weights were made up for want of stored ones."""
    model, report = cast(Any, HMTForCausalLM).from_pretrained(directory, output_loading_info=True, **settings)
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"it has no {', '.join(missing)}")
    return cast(HMTForCausalLM, model)


def _beside_backbone(directory: Path, settings: dict[str, Any]) -> HMTForCausalLM:
    home, expected = backbone_reference(directory)
    if fingerprint(home) != expected:
        raise InvalidCheckpoint(
            f"The backbone in {home} is not the one this memory was trained on.",
            subject=home,
            remedy="Restore that backbone, or train the memory again.",
        )
    model = HMTForCausalLM(HMTConfig.from_pretrained(directory))
    model.backbone = AutoModelForCausalLM.from_pretrained(home, use_safetensors=True, **settings)
    model.memory.load_state_dict(load_file(directory / MEMORY_WEIGHTS))
    return cast(HMTForCausalLM, cast(Any, model).to(dtype=settings["dtype"]))
