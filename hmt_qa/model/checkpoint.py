"""A checkpoint's folder, looked at but not loaded: identity, size and form; imports no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from hmt_qa.errors import InvalidCheckpoint, ModelMissing

WEIGHTS = "model.safetensors"
MEMORY_WEIGHTS = "memory.safetensors"
BACKBONE_REFERENCE = "backbone.json"
INT8_ROWS = "int8-rows"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a folder holds. `model_id` is its name and a hash of weights, configuration and tokenizer."""

    directory: Path
    config: dict[str, Any]
    model_id: str
    parameters: int

    @classmethod
    def open(cls, directory: Path) -> Checkpoint:
        """Read configuration and headers; raises `ModelMissing` and `InvalidCheckpoint`."""
        config = _config(directory)
        folders = [directory]
        if (directory / BACKBONE_REFERENCE).exists():
            folders.append(backbone_reference(directory)[0])
        parameters = sum(_parameters(path) for folder in folders for path in folder.glob("*.safetensors"))
        if not parameters or not any((folder / "tokenizer.json").exists() for folder in folders):
            raise ModelMissing(
                f"{directory} holds no weights in safetensors, or no tokenizer.json.",
                subject=directory,
                remedy="Save model and tokenizer there with save_pretrained().",
            )
        name = directory.resolve().name
        return cls(directory, config, f"{name}@{fingerprint(*folders)[:16]}", parameters)

    @property
    def fingerprint(self) -> str:
        """The hash in `model_id`, whatever its folder is called."""
        return self.model_id.rpartition("@")[2]

    @property
    def is_hmt(self) -> bool:
        """False for a plain causal language model, which is wrapped with an untrained memory when loaded."""
        return self.config.get("model_type") == "hmt"

    @property
    def memory_trained(self) -> bool:
        """Whether T, the initial memory, Wq and Wk have been trained."""
        return bool(self.config.get("memory_trained"))

    @property
    def is_int8(self) -> bool:
        """Whether matrices are stored as int8 rows."""
        path = self.directory / WEIGHTS
        if not path.exists():  # sharded checkpoints are always plain
            return False
        with safe_open(path, framework="np") as file:
            return bool((file.metadata() or {}).get("weights") == INT8_ROWS)

    def find(self, name: str) -> Path:
        """A file of the checkpoint, or of the backbone it refers to."""
        own = self.directory / name
        if own.exists() or not (self.directory / BACKBONE_REFERENCE).exists():
            return own
        return backbone_reference(self.directory)[0] / name


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


def backbone_reference(directory: Path) -> tuple[Path, str]:
    """Folder and fingerprint of the backbone that a memory in `directory` belongs to; raises `InvalidCheckpoint`."""
    path = directory / BACKBONE_REFERENCE
    try:
        reference = json.loads(path.read_text(encoding="utf-8"))
        return Path(reference["path"]), str(reference["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InvalidCheckpoint(
            f"{path} does not name a backbone: {exc}.", subject=path, remedy="Save the memory again."
        ) from exc


def _config(directory: Path) -> dict[str, Any]:
    path = directory / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise ModelMissing(
            f"There is no model in {directory}.", subject=directory, remedy="Check the path given as model."
        ) from exc
    except (OSError, ValueError) as exc:
        raise InvalidCheckpoint(
            f"{path} is not a model configuration: {exc}.", subject=path, remedy="Fetch or save the model again."
        ) from exc
    if not isinstance(config, dict):
        raise InvalidCheckpoint(
            f"{path} is not a model configuration.", subject=path, remedy="Fetch or save the model again."
        )
    return config


def _parameters(path: Path) -> int:
    try:
        with safe_open(path, framework="np") as file:
            return sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 (no mapping)
    except SafetensorError as exc:
        raise InvalidCheckpoint(
            f"{path} is not a safetensors file: {exc}.", subject=path, remedy="Fetch or save the model again."
        ) from exc
