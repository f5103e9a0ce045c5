"""The shape of a Hierarchical Memory Transformer as a Hugging Face configuration."""

from __future__ import annotations

from typing import Any, ClassVar

from transformers import AutoConfig, PreTrainedConfig


class HMTConfig(PreTrainedConfig):
    """Configuration of `HMTForCausalLM`; sizes count tokens unless they say otherwise.

    Args:
        backbone_config: configuration (or its dict) of any causal language model that takes `inputs_embeds`.
        segment_length: L, new tokens a segment.
        summary_length: j, leading tokens of a segment that its representation reads; L/2 by default.
        sensory_length: k, raw tokens carried over from the segment before (paper: 32).
        recall_window: N, newest segments whose memories ingestion attends to (paper: 300). Questions attend to all.
        memories_per_segment: M, memory embeddings a segment leaves behind (paper: 1).
        recall_size: h, width of the recall's query and key; the hidden size by default.
        evidence_passages: how many passages an answer reads, as the reader was trained; more places are only shown.
        memory_trained: false while T, the initial memory, Wq and Wk are as initialised; `hmt-qa doctor` says so.

    Source: He et al., arXiv 2405.06067, section 3.
    """

    model_type: ClassVar[str] = "hmt"
    sub_configs: ClassVar[dict[str, Any]] = {"backbone_config": AutoConfig}

    backbone_config: dict[str, Any] | PreTrainedConfig | None = None
    segment_length: int = 256
    summary_length: int | None = None
    sensory_length: int = 32
    recall_window: int = 300
    memories_per_segment: int = 1
    recall_size: int | None = None
    evidence_passages: int = 4
    memory_trained: bool = False
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        """Fill the sizes that follow from others and refuse impossible ones."""
        if isinstance(self.backbone_config, dict):
            self.backbone_config = AutoConfig.for_model(**self.backbone_config)
        elif self.backbone_config is None:
            self.backbone_config = AutoConfig.for_model("llama")
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]
        if self.summary_length is None:
            self.summary_length = max(1, self.segment_length // 2)
        if self.recall_size is None:
            self.recall_size = self.hidden_size
        if not 1 <= self.summary_length <= self.segment_length:
            raise ValueError(f"summary_length {self.summary_length} is not within 1..{self.segment_length}")
        if not 0 <= self.sensory_length <= self.segment_length:
            raise ValueError(f"sensory_length {self.sensory_length} is not within 0..{self.segment_length}")
        if self.recall_window < 1:
            raise ValueError(f"recall_window {self.recall_window} is below 1")
        if self.memories_per_segment < 1:
            raise ValueError(f"memories_per_segment {self.memories_per_segment} is below 1")
        if self.recall_size < 1:
            raise ValueError(f"recall_size {self.recall_size} is below 1")

    @property
    def hidden_size(self) -> int:
        """d: the width of the backbone's input embeddings and of its last hidden state."""
        backbone: Any = self.backbone_config
        return int(getattr(backbone, "word_embed_proj_dim", None) or backbone.hidden_size)

    @property
    def vocab_size(self) -> int:
        """Tokens of the backbone's vocabulary."""
        backbone: Any = self.backbone_config
        return int(backbone.vocab_size)
