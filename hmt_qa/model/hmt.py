"""The Hierarchical Memory Transformer: one step over a segment, and documents unrolled from such steps.

Shapes: B batch · S segments · L tokens a segment · J summary tokens · K sensory tokens · M memories a segment ·
W padded width · T tokens of a document · D hidden size · V vocabulary.
Source: He et al., arXiv 2405.06067, sections 3.1 to 3.3; where we depart from it, docs/architecture.md says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from hmt_kernels.dispatch import frame
from hmt_qa.model import backbone
from hmt_qa.model.config import HMTConfig
from hmt_qa.model.memory import MemoryBank, MemoryParameters, Recall


@dataclass(frozen=True, slots=True)
class Segments:
    """One segment of each of B documents, right-padded: ids_BW int64, lengths_B int64."""

    ids_BW: Tensor
    lengths_B: Tensor

    def tail(self, count: int, before: Segments) -> Segments:
        """The last `count` ids read so far, left-aligned: of this segment, then of `before` where it is short."""
        joined = before.followed_by(self)
        kept_B = joined.lengths_B.clamp(max=count)
        index_BK = (joined.lengths_B - kept_B)[:, None] + torch.arange(count, device=kept_B.device)
        ids_BK = joined.ids_BW.gather(1, index_BK.clamp(max=joined.ids_BW.shape[1] - 1))
        return Segments(ids_BK, kept_B)

    def followed_by(self, other: Segments) -> Segments:
        """Both joined without a gap, left-aligned, padded to the sum of the widths."""
        width = self.ids_BW.shape[1] + other.ids_BW.shape[1]
        both_BW = torch.cat([self.ids_BW, other.ids_BW], dim=1)
        place_W = torch.arange(width, device=both_BW.device)
        shift_B = self.ids_BW.shape[1] - self.lengths_B
        index_BW = torch.where(place_W < self.lengths_B[:, None], place_W, place_W + shift_B[:, None])
        return Segments(both_BW.gather(1, index_BW.clamp(max=width - 1)), self.lengths_B + other.lengths_B)


@dataclass(frozen=True, slots=True)
class ReadingState:
    """All that is needed to go on reading: the memories and the sensory ids (the last K tokens, raw)."""

    bank: MemoryBank
    sensory: Segments


@dataclass(frozen=True, slots=True)
class Reading:
    """What one step gives.

    memory_BMD: M_n. recall: the prompt P_n and its weights. state: for the next step.
    predicting_BWD: hidden states that predict each token of the segment (each stands one place before its token).
    last_BD: the hidden state at the segment's last token, which predicts what follows.
    """

    memory_BMD: Tensor
    recall: Recall
    state: ReadingState
    predicting_BWD: Tensor
    last_BD: Tensor


def _at(hidden_BTD: Tensor, index_B: Tensor) -> Tensor:
    """Row `index_B` of each sequence, (B, D)."""
    return hidden_BTD[torch.arange(hidden_BTD.shape[0], device=hidden_BTD.device), index_B]


def _from(hidden_BTD: Tensor, index_B: Tensor, count: int) -> Tensor:
    """`count` rows of each sequence from row `index_B` on, (B, count, D)."""
    index_BC = index_B[:, None] + torch.arange(count, device=hidden_BTD.device)
    return hidden_BTD.gather(1, index_BC[..., None].expand(-1, -1, hidden_BTD.shape[2]))


class HMTForCausalLM(PreTrainedModel):
    """A causal language model with hierarchical memory around any Hugging Face backbone."""

    config_class = HMTConfig
    base_model_prefix = "backbone"
    _supports_sdpa = True
    _supports_flash_attn = True

    def __init__(self, config: HMTConfig) -> None:
        super().__init__(config)
        limit = backbone.position_limit(cast(Any, config.backbone_config))
        needed = config.segment_length + config.sensory_length + 2 * config.memories_per_segment
        if limit is not None and limit < needed:
            raise ValueError(f"the backbone knows {limit} positions, a step needs {needed}: lower segment_length")
        self.backbone = backbone.build_backbone(cast(Any, config.backbone_config))
        self.memory = MemoryParameters(config.hidden_size, cast(int, config.recall_size), config.memories_per_segment)
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, MemoryParameters):
            module.initialise(getattr(self.config.backbone_config, "initializer_range", 0.02))

    @property
    def base_model(self) -> nn.Module:
        """This model itself: its `backbone` is a part, not the same model under another head."""
        return self

    def get_input_embeddings(self) -> nn.Module:
        """The backbone's token embeddings."""
        return self.backbone.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Module:
        """The backbone's LM head."""
        return cast(nn.Module, self.backbone.get_output_embeddings())

    def initial_state(self, batch: int) -> ReadingState:
        """Nothing read yet."""
        like_MD = self.memory.initial_memory_MD
        ids_BK = torch.zeros(batch, self.config.sensory_length, dtype=torch.long, device=like_MD.device)
        bank = MemoryBank.empty(batch, *like_MD.shape, like=like_MD)
        return ReadingState(bank, Segments(ids_BK, ids_BK.new_zeros(batch)))

    def represent(self, segments: Segments, *, length: int | None = None) -> Tensor:
        """S, (B, D): what each row is about, from `[T ; E(first J ids) ; T]` (section 3.1).

        Needs no memory, so all segments of a document, or of many, may be rows of one call. `length` reads another
        number of leading ids than J: a question is read whole.
        """
        width = min(length or cast(int, self.config.summary_length), segments.ids_BW.shape[1])
        head = Segments(segments.ids_BW[:, :width], segments.lengths_B.clamp(max=width))
        prompt_B1D = self.memory.summary_prompt_D.expand(head.ids_BW.shape[0], 1, -1)
        nothing = Segments(head.ids_BW[:, :0], torch.zeros_like(head.lengths_B))
        hidden_BTD = backbone.last_hidden(self.backbone, self._framed(prompt_B1D, nothing, head))
        return _at(hidden_BTD, head.lengths_B + 1)

    def recall(self, summary_BD: Tensor, bank: MemoryBank) -> Recall:
        """P and its weights over every memory of the bank (section 3.2)."""
        return cast(Recall, self.memory(summary_BD, bank))

    def weigh(self, summary_BD: Tensor, bank: MemoryBank) -> Tensor:
        """Each segment's weight for a question, float32 (B, N), summing to 1: see `MemoryParameters.weigh`."""
        return self.memory.weigh(summary_BD, bank)

    def read(
        self, segments: Segments, summary_BD: Tensor, state: ReadingState, active_B: Tensor | None = None
    ) -> Reading:
        """One step (section 3.3): recall within the window, read `[P ; sensory ; x ; P]`, remember M.

        Documents outside `active_B` (bool; default all) keep their memories; their other outputs mean nothing.
        """
        recalled = self.recall(summary_BD, state.bank.newest(self.config.recall_window))
        hidden_BTD, memory_BMD = self._augmented(segments, recalled.prompt_BMD, state.sensory)
        memories = memory_BMD.shape[1]
        sensory = segments.tail(self.config.sensory_length, state.sensory)
        return Reading(
            memory_BMD=memory_BMD,
            recall=recalled,
            state=ReadingState(state.bank.remember(memory_BMD, active_B), sensory),
            predicting_BWD=_from(hidden_BTD, state.sensory.lengths_B + memories - 1, segments.ids_BW.shape[1]),
            last_BD=_at(hidden_BTD, state.sensory.lengths_B + segments.lengths_B + memories - 1),
        )

    def memorise(self, segments: Segments, prompt_BMD: Tensor, sensory: Segments) -> Tensor:
        """M_n alone, (B, M, D), of segments whose P_n is known: what ingestion keeps of `read`."""
        return self._augmented(segments, prompt_BMD, sensory)[1]

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **_: Any,
    ) -> CausalLMOutput:
        """Read whole documents, (B, T) ids right-padded by `attention_mask`, unrolled over their segments.

        Returns logits (B, T, V) in Hugging Face's convention (place t predicts token t + 1) and, with `labels`
        (-100 is ignored), the mean loss over every labelled token but a document's first. Gradients flow through
        all steps. The first token of a segment is predicted from the sensory tokens before it.
        """
        batch, length = input_ids.shape
        lengths_B = input_ids.new_full((batch,), length) if attention_mask is None else attention_mask.sum(1)
        steps = self._steps(input_ids, lengths_B)
        summaries_SBD = self.represent(
            Segments(torch.cat([s.ids_BW for s in steps]), torch.cat([s.lengths_B for s in steps]))
        ).unflatten(0, (len(steps), batch))
        state, predicting, last_BD = self.initial_state(batch), [], summaries_SBD[0]
        for segments, summary_BD in zip(steps, summaries_SBD, strict=True):
            active_B = segments.lengths_B > 0
            reading = self.read(segments, summary_BD, state, active_B=active_B)
            state = reading.state
            predicting.append(reading.predicting_BWD)
            last_BD = torch.where(active_B[:, None], reading.last_BD, last_BD)
        predicting_BTD = torch.cat([*predicting, last_BD[:, None]], dim=1)
        # What follows a document is predicted from its own last segment, however far the batch is padded.
        end_B1D = lengths_B[:, None, None].expand(-1, 1, last_BD.shape[1])
        predicting_BTD = predicting_BTD.scatter(1, end_B1D, last_BD[:, None])[:, 1 : length + 1]
        logits_BTV = backbone.logits(self.backbone, predicting_BTD)
        return CausalLMOutput(loss=_next_token_loss(logits_BTV, labels), logits=cast(Any, logits_BTV))

    def prompt(self, recalled_BMD: Tensor, ids_BT: Tensor) -> Tensor:
        """`[P ; E(ids)]`, (B, M + T, D): what an answer is generated from."""
        return torch.cat([recalled_BMD, backbone.embed(self.backbone, ids_BT)], dim=1)

    def _steps(self, ids_BT: Tensor, lengths_B: Tensor) -> list[Segments]:
        size = self.config.segment_length
        padded_BT = nn.functional.pad(ids_BT, (0, -ids_BT.shape[1] % size))
        return [
            Segments(chunk_BL, (lengths_B - number * size).clamp(0, size))
            for number, chunk_BL in enumerate(padded_BT.split(size, dim=1))
        ]

    def _augmented(self, segments: Segments, prompt_BMD: Tensor, sensory: Segments) -> tuple[Tensor, Tensor]:
        """Hidden states of `[P ; sensory ; x ; P]`, and those at the closing P: M_n, (B, M, D)."""
        hidden_BTD = backbone.last_hidden(self.backbone, self._framed(prompt_BMD, sensory, segments))
        memories = prompt_BMD.shape[1]
        return hidden_BTD, _from(hidden_BTD, sensory.lengths_B + segments.lengths_B + memories, memories)

    def _framed(self, prompt_BMD: Tensor, sensory: Segments, segments: Segments) -> Tensor:
        """`[prompt ; E(sensory) ; E(x) ; prompt]`, each row without a gap, (B, M + K + L + M, D)."""
        table_VD, (sensory_BK, ids_BL) = backbone.look_up(self.backbone, sensory.ids_BW, segments.ids_BW)
        return frame(
            table_VD,
            prompt_BMD,
            sensory_BK=sensory_BK,
            sensory_lengths_B=sensory.lengths_B,
            ids_BL=ids_BL,
            lengths_B=segments.lengths_B,
        )


def _next_token_loss(logits_BTV: Tensor, labels_BT: Tensor | None) -> Tensor | None:
    if labels_BT is None:
        return None
    return nn.functional.cross_entropy(logits_BTV[:, :-1].flatten(0, 1).float(), labels_BT[:, 1:].flatten())


AutoConfig.register("hmt", HMTConfig, exist_ok=True)
AutoModelForCausalLM.register(HMTConfig, HMTForCausalLM, exist_ok=True)
