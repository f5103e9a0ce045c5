"""Checkpoints on disk: whole models, int8 rows, memory parameters beside a reference to their backbone.

Only safetensors and JSON are read; nothing in a checkpoint is ever executed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from hmt_qa.errors import InvalidCheckpoint, ModelMissing
from hmt_qa.model.config import HMTConfig
from hmt_qa.model.hmt import HMTForCausalLM

WEIGHTS = "model.safetensors"
MEMORY_WEIGHTS = "memory.safetensors"
BACKBONE_REFERENCE = "backbone.json"
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
    save_file(tensors, directory / WEIGHTS, metadata={"format": "pt", "weights": "int8-rows"})
    model.config.save_pretrained(directory)


def load_model(directory: Path, *, dtype: torch.dtype, attention: str) -> HMTForCausalLM:
    """Load any of our three forms, or wrap a plain Hugging Face causal LM with an untrained memory.

    Raises `ModelMissing` and `InvalidCheckpoint`.
    """
    settings: dict[str, Any] = {"dtype": dtype, "attn_implementation": attention, "local_files_only": True}
    try:
        if (directory / MEMORY_WEIGHTS).exists():
            model = _beside_backbone(directory, settings)
        elif _model_type(directory) != "hmt":
            model = wrap(AutoModelForCausalLM.from_pretrained(directory, use_safetensors=True, **settings))
        elif _is_int8(directory / WEIGHTS):
            model = _from_int8(directory, settings)
        else:
            model = HMTForCausalLM.from_pretrained(directory, use_safetensors=True, **settings)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as exc:
        raise InvalidCheckpoint(
            f"The model in {directory} cannot be loaded: {exc}.", subject=directory, remedy="Fetch or save it again."
        ) from exc
    return model.eval()


def wrap(causal_lm: PreTrainedModel, **sizes: Any) -> HMTForCausalLM:
    """HMT around a loaded backbone, its memory parameters as initialised; `sizes` go to `HMTConfig`."""
    model = HMTForCausalLM(HMTConfig(backbone_config=causal_lm.config, **sizes))
    model.backbone = causal_lm
    return cast(HMTForCausalLM, model.to(dtype=causal_lm.dtype))


def save_memory(model: HMTForCausalLM, directory: Path, *, backbone: Path) -> None:
    """Store the memory parameters alone, beside a reference to the backbone's folder and its fingerprint."""
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in model.memory.state_dict().items()}
    save_file(tensors, directory / MEMORY_WEIGHTS, metadata={"format": "pt"})
    reference = {"path": str(backbone.resolve()), "fingerprint": fingerprint(backbone)}
    (directory / BACKBONE_REFERENCE).write_text(json.dumps(reference, indent=1) + "\n", encoding="utf-8")
    model.config.save_pretrained(directory)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint's folder, looked at but not loaded: no torch work happens here beyond reading headers."""

    directory: Path
    config: dict[str, Any]
    model_id: str
    parameters: int

    @classmethod
    def open(cls, directory: Path) -> Checkpoint:
        """Read configuration and headers; raises `ModelMissing` and `InvalidCheckpoint`."""
        config = _config(directory)
        reference = directory / BACKBONE_REFERENCE
        folders = [directory]
        if reference.exists():
            folders.append(Path(json.loads(reference.read_text(encoding="utf-8"))["path"]))
        parameters = sum(_parameters(path) for folder in folders for path in folder.glob("*.safetensors"))
        if not parameters or not any((folder / "tokenizer.json").exists() for folder in folders):
            raise ModelMissing(
                f"{directory} holds no weights in safetensors, or no tokenizer.json.",
                subject=directory,
                remedy="Save model and tokenizer there with save_pretrained().",
            )
        name = directory.resolve().name
        return cls(directory, config, f"{name}@{fingerprint(*folders)[:16]}", parameters)

    def find(self, name: str) -> Path:
        """A file of the checkpoint, or of the backbone it refers to."""
        own = self.directory / name
        if own.exists() or not (self.directory / BACKBONE_REFERENCE).exists():
            return own
        reference = json.loads((self.directory / BACKBONE_REFERENCE).read_text(encoding="utf-8"))
        return Path(reference["path"]) / name


def fingerprint(*directories: Path) -> str:
    """sha256 (hex) over weights, configuration and tokenizer of these folders: the identity of a model."""
    digest = hashlib.sha256()
    for directory in directories:
        names = {"config.json", "tokenizer.json"} | {path.name for path in directory.glob("*.safetensors")}
        for path in sorted(directory / name for name in names if (directory / name).exists()):
            digest.update(path.name.encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


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
    return HMTForCausalLM.from_pretrained(None, config=config, state_dict=weights, **settings)


def _beside_backbone(directory: Path, settings: dict[str, Any]) -> HMTForCausalLM:
    reference = json.loads((directory / BACKBONE_REFERENCE).read_text(encoding="utf-8"))
    home = Path(reference["path"])
    if fingerprint(home) != reference["fingerprint"]:
        raise InvalidCheckpoint(
            f"The backbone in {home} is not the one this memory was trained on.",
            subject=home,
            remedy="Restore that backbone, or train the memory again.",
        )
    model = HMTForCausalLM(HMTConfig.from_pretrained(directory))
    model.backbone = AutoModelForCausalLM.from_pretrained(home, use_safetensors=True, **settings)
    model.memory.load_state_dict(load_file(directory / MEMORY_WEIGHTS))
    return cast(HMTForCausalLM, model.to(dtype=settings["dtype"]))


def _config(directory: Path) -> dict[str, Any]:
    path = directory / "config.json"
    try:
        return cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as exc:
        raise ModelMissing(
            f"There is no model in {directory}.", subject=directory, remedy="Check the path given as model."
        ) from exc
    except (OSError, ValueError) as exc:
        raise InvalidCheckpoint(
            f"{path} is not a model configuration: {exc}.", subject=path, remedy="Fetch or save the model again."
        ) from exc


def _model_type(directory: Path) -> str:
    return str(_config(directory).get("model_type", ""))


def _is_int8(path: Path) -> bool:
    if not path.exists():  # sharded checkpoints are always plain
        return False
    with safe_open(path, framework="pt") as file:
        return bool((file.metadata() or {}).get("weights") == "int8-rows")


def _parameters(path: Path) -> int:
    try:
        with safe_open(path, framework="pt") as file:
            return sum(_numel(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 (no mapping)
    except SafetensorError as exc:
        raise InvalidCheckpoint(
            f"{path} is not a safetensors file: {exc}.", subject=path, remedy="Fetch or save the model again."
        ) from exc


def _numel(shape: Iterable[int]) -> int:
    return int(torch.Size(shape).numel())
