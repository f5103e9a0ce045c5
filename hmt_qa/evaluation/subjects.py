"""The checkpoint that is measured, ready to use: engine, model, prompts, and how much it reads at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tokenizers import Tokenizer

from hmt_qa.app import TRAINED_KEYWORD_TRUST, UNTRAINED_KEYWORD_TRUST
from hmt_qa.engine import LocalEngine
from hmt_qa.evaluation.lockstep import Batching
from hmt_qa.evaluation.losses import ReadingMode
from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.prompt import PromptFormat


@dataclass(frozen=True)
class Subject:
    """A checkpoint on a device."""

    engine: LocalEngine

    @classmethod
    def open(cls, directory: Path, *, device: str, dtype: str) -> Subject:
        """Raises `ModelMissing` and `InvalidCheckpoint`."""
        return cls(LocalEngine(directory, device=device, dtype=dtype))

    @property
    def model(self) -> HMTForCausalLM:
        """The loaded model."""
        return self.engine.model

    @property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""
        return self.engine.tokenizer

    @cached_property
    def format(self) -> PromptFormat:
        """The marks of its prompts."""
        return PromptFormat.of(self.tokenizer)

    @cached_property
    def batching(self) -> Batching:
        """For its device."""
        return Batching.on(self.engine.machine.device)

    @property
    def keyword_trust(self) -> float:
        """How much keywords count in the product's hybrid ranking."""
        return TRAINED_KEYWORD_TRUST if self.engine.checkpoint.memory_trained else UNTRAINED_KEYWORD_TRUST

    @property
    def mode(self) -> ReadingMode:
        """How its configuration suggests to read: without memory where none was trained, as RMT with a window of 1."""
        if not self.engine.checkpoint.is_hmt or not self.engine.checkpoint.memory_trained:
            return ReadingMode.NONE
        return ReadingMode.RMT if self.engine.recall_window == 1 else ReadingMode.HMT

    def ids(self, text: str) -> list[int]:
        """A question's tokens, as many as a question may have."""
        return list(self.engine.encode(text).ids[: self.engine.segment_length])
