"""The local engine: one model on one device that reads documents, summarises questions and writes answers.

Shapes: B rows of a batch · N segments remembered · M memories a segment · D hidden size · T tokens.
Weights load at first use, so that listing, deleting or finding a file unchanged never waits for them.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tokenizers import Tokenizer

from hmt_qa import chain
from hmt_qa.errors import InvalidCheckpoint
from hmt_qa.model.checkpoint import Checkpoint
from hmt_qa.types import EncodedText, MemoryShape, Segment, StoredMemory, StoredRow

if TYPE_CHECKING:
    from torch import Tensor

    from hmt_qa.model.choosing import Choice
    from hmt_qa.model.config import HMTConfig
    from hmt_qa.model.hmt import HMTForCausalLM, ReadingState, Segments
    from hmt_qa.model.machine import Machine

SUMMARY_BATCH = 8  # segments a representation pass; aligned to segment numbers, so that a resumed run repeats it
WIDTH_STEP = 64  # rows are padded to multiples of this: few shapes, little waste on short files


class LocalEngine:
    """Implements `hmt_qa.ports.MemoryReader` and what answering needs; safe to share between threads.

    Args:
        checkpoint: folder of a model (see `hmt_qa.model.checkpoint`).
        device, dtype, attention: as in `Machine.choose`.
    Raises `ModelMissing`, `InvalidCheckpoint`, `ModelTooLarge`.
    """

    def __init__(self, checkpoint: Path, *, device: str = "auto", dtype: str = "auto", attention: str = "auto") -> None:
        self.read_together = SUMMARY_BATCH
        self.checkpoint = Checkpoint.open(checkpoint)
        self.model_id = self.checkpoint.model_id
        self._choice = {"device": device, "dtype": dtype, "attention": attention}
        # Not for speed: transformers fails to import where another thread is in the middle of importing it.
        self._lock = threading.RLock()

    @property
    def machine(self) -> Machine:
        """Device, number format and attention in use."""
        with self._lock:
            return self._machine

    @cached_property
    def _machine(self) -> Machine:
        from hmt_qa.model.machine import Machine

        return Machine.choose(**self._choice)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer; special-token spellings inside a document stay ordinary text."""
        path = self.checkpoint.find("tokenizer.json")
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as exc:  # tokenizers raises nothing narrower
            raise InvalidCheckpoint(
                f"{path} is not a tokenizer: {exc}.", subject=path, remedy="Fetch or save the model again."
            ) from exc
        tokenizer.encode_special_tokens = True
        return tokenizer

    @property
    def model(self) -> HMTForCausalLM:
        """The loaded model; the first call loads it."""
        with self._lock:
            return self._model

    @cached_property
    def _model(self) -> HMTForCausalLM:
        from transformers.utils import logging

        from hmt_qa.model.weights import load_model

        self.machine.require_room(self.checkpoint.parameters, int8=self.checkpoint.is_int8, what=self.model_id)
        logging.disable_progress_bar()
        model = load_model(self.checkpoint, dtype=self.machine.dtype, attention=self.machine.attention)
        return cast("HMTForCausalLM", cast(Any, model).to(self.machine.device))

    @property
    def config(self) -> HMTConfig:
        """The model's configuration; a plain backbone is wrapped, and so loaded, to know it."""
        with self._lock:
            return self._config

    @cached_property
    def _config(self) -> HMTConfig:
        from hmt_qa.model.config import HMTConfig

        if not self.checkpoint.is_hmt:
            return cast(HMTConfig, self.model.config)
        directory = self.checkpoint.directory
        try:
            return HMTConfig.from_pretrained(directory)
        except (ValueError, TypeError, KeyError) as exc:
            raise InvalidCheckpoint(
                f"{directory} has an impossible configuration: {exc}.",
                subject=directory,
                remedy="Fetch or save the model again.",
            ) from exc

    @property
    def segment_length(self) -> int:
        """L, tokens."""
        return int(self.config.segment_length)

    @property
    def hidden(self) -> int:
        """Numbers in a segment's memory row: M embeddings of D, one after another."""
        return self.config.memories_per_segment * self.config.hidden_size

    @property
    def context(self) -> int | None:
        """Most positions of one pass, tokens; None where the backbone has no hard end."""
        from hmt_qa.model.backbone import position_limit

        return position_limit(cast(Any, self.config.backbone_config))

    @property
    def shape(self) -> MemoryShape:
        """What an imported memory must be like to be asked by this engine."""
        return MemoryShape(
            model_id=self.model_id,
            hidden=self.hidden,
            segment_length=self.segment_length,
            vocabulary=self.config.vocab_size,
        )

    @property
    def recall_window(self) -> int:
        """N, newest segments whose memories ingestion attends to."""
        return int(self.config.recall_window)

    @property
    def dtype(self) -> str:
        """Number format of memory rows."""
        return self.machine.dtype_name

    @property
    def setting(self) -> str:
        """All that the last bits of a memory depend on, beside model and text."""
        return f"{self.machine.name} summary_batch={SUMMARY_BATCH} width_step={WIDTH_STEP}"

    def encode(self, text: str) -> EncodedText:
        """Tokens of `text` with their character spans."""
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        return EncodedText(ids=encoding.ids, spans=encoding.offsets)

    def first_state_id(self) -> str:
        """See `hmt_qa.chain`."""
        return chain.first_state_id(self.model_id)

    def next_state_id(self, state_id: str, token_ids: Sequence[int]) -> str:
        """See `hmt_qa.chain`."""
        return chain.next_state_id(state_id, token_ids, self.model_id)

    def read(self, segments: Iterable[Segment], *, committed: int, tail: bytes) -> Iterator[tuple[Segment, bytes]]:
        """Read on from segment number `committed`; yields each new segment with its memory row's bytes.

        Representations are computed for `SUMMARY_BATCH` segments at a time, in groups that start at multiples of it:
        a resumed run repeats the group that was cut, so every pass has the shape it had, and so has every bit.
        """
        import torch

        bank_NMD = self.rows(tail, self.hidden)
        before: Sequence[int] = ()
        state: ReadingState | None = None
        for group in _groups(segments, SUMMARY_BATCH):
            if group[-1].number >= committed:
                with torch.inference_mode():
                    summaries_BD = self.model.represent(self._padded(group))
                for segment, summary_D in zip(group, summaries_BD, strict=True):
                    if segment.number >= committed:
                        state = state or self._state(bank_NMD, before)
                        with torch.inference_mode():
                            reading = self.model.read(self._padded([segment]), summary_D[None], state)
                        state = self._trimmed(reading.state)
                        yield segment, _bytes(reading.memory_BMD[0])
                    before = segment.token_ids
            before = group[-1].token_ids

    def rows(self, raw: bytes, hidden: int, dtype: str | None = None) -> Tensor:
        """Memories (N, M, D) on this engine's device from raw little-endian bytes, `hidden` numbers a segment."""
        import torch

        kind = getattr(torch, dtype or self.dtype)
        memories = self.config.memories_per_segment
        if not raw:
            return torch.zeros(0, memories, hidden // memories, dtype=self.machine.dtype, device=self.machine.device)
        flat = torch.frombuffer(bytearray(raw), dtype=kind).reshape(-1, memories, hidden // memories)
        # A copy, aligned as torch aligns: matrix products differ in their last bits with the address of their operands.
        return flat.to(self.machine.device, self.machine.dtype, copy=True)

    def raw(self, rows_NMD: Tensor) -> bytes:
        """The inverse of `rows`: little-endian numbers of this engine's `dtype`."""
        return _bytes(rows_NMD)

    def bank(self, stored: StoredMemory) -> Tensor:
        """A stored memory, (N, M, D)."""
        return self.rows(stored.rows, stored.hidden, stored.dtype)

    def summarise(self, question_ids: Sequence[int]) -> Tensor:
        """S_q, (1, D): the question through the representation pass, read whole."""
        import torch

        with torch.inference_mode():
            segments = self._padded_ids([question_ids])
            return self.model.represent(segments, length=segments.ids_BW.shape[1])

    def folded(self, summary_1D: Tensor) -> bytes:
        """What inner products with memories give their scores: D little-endian float32."""
        import torch

        with torch.inference_mode():
            return _bytes(self.model.memory.fold(summary_1D)[0].to(torch.float32))

    def some_rows(self, stored: Sequence[StoredRow]) -> Tensor:
        """Memories (N, M, D) of N places."""
        import torch

        parts = [self.rows(b"".join(one.row for one in group), self.hidden, dtype) for dtype, group in _runs(stored)]
        return torch.cat(parts) if parts else self.rows(b"", self.hidden)

    def recall(self, summary_1D: Tensor, rows_NMD: Tensor) -> tuple[Tensor, list[float]]:
        """P_q, (1, M, D), and the weight of each of the N segments (they sum to 1)."""
        import torch

        from hmt_qa.model.memory import MemoryBank

        bank = MemoryBank.of(rows_NMD)
        with torch.inference_mode():
            prompt_1MD = self.model.recall(summary_1D, bank).prompt_BMD
            weights_N = self.model.weigh(summary_1D, bank)[0]
        return prompt_1MD, cast("list[float]", weights_N.tolist())

    def generate(
        self,
        prompt_1MD: Tensor,
        ids: Sequence[int],
        *,
        max_new_tokens: int,
        stop_ids: Sequence[int],
        choice: Choice | None = None,
    ) -> Generator[int]:
        """Token ids that continue `[P ; ids]`, as they come; stop ids included. Greedy without `choice`.

        Where beginnings are weighed, the first BEGINNING tokens come together.
        """
        from hmt_qa.model.choosing import BEGINNING, Choice

        choice = choice or Choice()
        begun: list[int] = []
        if choice.beams > 1:
            begun = self._begun(prompt_1MD, ids, min(BEGINNING, max_new_tokens), stop_ids, choice)
            yield from begun
            if begun[-1] in stop_ids or len(begun) >= max_new_tokens:
                return
            choice = choice.greedy
        yield from self._streamed(prompt_1MD, [*ids, *begun], max_new_tokens - len(begun), stop_ids, choice)

    def _begun(
        self, prompt_1MD: Tensor, ids: Sequence[int], tokens: int, stop_ids: Sequence[int], choice: Choice
    ) -> list[int]:
        """The best beginning, up to and with its first stop id."""
        import torch

        from hmt_qa.model import backbone

        with torch.inference_mode():
            embeds_1TD = self.model.prompt(prompt_1MD, torch.tensor([ids], device=self.machine.device))
            found_T = backbone.generate(
                self.model.backbone,
                embeds_1TD,
                max_new_tokens=tokens,
                stop_ids=stop_ids,
                pad_id=stop_ids[0],
                choice=choice,
            )
        return cast("list[int]", found_T.tolist())

    def _streamed(
        self, prompt_1MD: Tensor, ids: Sequence[int], tokens: int, stop_ids: Sequence[int], choice: Choice
    ) -> Iterator[int]:
        import torch

        from hmt_qa.model import backbone
        from hmt_qa.model.streaming import stream_ids

        with torch.inference_mode():
            embeds_1TD = self.model.prompt(prompt_1MD, torch.tensor([ids], device=self.machine.device))
        return stream_ids(
            lambda streamer, stopping: backbone.generate(
                self.model.backbone,
                embeds_1TD,
                max_new_tokens=tokens,
                stop_ids=stop_ids,
                pad_id=stop_ids[0],
                streamer=streamer,
                stopping=[stopping],
                choice=choice,
            )
        )

    def _state(self, bank_NMD: Tensor, before: Sequence[int]) -> ReadingState:
        from hmt_qa.model.hmt import ReadingState
        from hmt_qa.model.memory import MemoryBank

        k = self.model.config.sensory_length
        sensory = self._padded_ids([before[-k:] if k else ()], width=k)
        return ReadingState(MemoryBank.of(bank_NMD), sensory)

    def _trimmed(self, state: ReadingState) -> ReadingState:
        """Only what the next step attends to: memory use does not grow with the document."""
        from hmt_qa.model.hmt import ReadingState

        return ReadingState(state.bank.newest(self.recall_window), state.sensory)

    def _padded(self, group: Sequence[Segment]) -> Segments:
        return self._padded_ids([segment.token_ids for segment in group])

    def _padded_ids(self, rows: Sequence[Sequence[int]], *, width: int | None = None) -> Segments:
        import torch

        from hmt_qa.model.hmt import Segments

        longest = max(len(row) for row in rows)
        width = -(-longest // WIDTH_STEP) * WIDTH_STEP if width is None else width
        ids_BW = torch.zeros(len(rows), width, dtype=torch.long)
        for place, row in enumerate(rows):
            ids_BW[place, : len(row)] = torch.tensor(row, dtype=torch.long)
        lengths_B = torch.tensor([len(row) for row in rows])
        return Segments(ids_BW.to(self.machine.device), lengths_B.to(self.machine.device))


def _bytes(row_MD: Tensor) -> bytes:
    import torch

    return row_MD.contiguous().view(torch.uint8).cpu().numpy().tobytes()


def _runs(stored: Sequence[StoredRow]) -> Iterator[tuple[str, list[StoredRow]]]:
    """Neighbours of the same number format."""
    for dtype, group in groupby(stored, key=lambda one: one.dtype):
        yield dtype, list(group)


def _groups(segments: Iterable[Segment], size: int) -> Iterator[list[Segment]]:
    iterator = iter(segments)
    while group := list(islice(iterator, size)):
        yield group
