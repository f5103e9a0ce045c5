"""The local engine: one model on one device that reads documents, summarises questions and writes answers.

Shapes: B rows of a batch · N segments remembered · M memories a segment · D hidden size · T tokens.
Weights load at first use, so that listing, deleting or finding a file unchanged never waits for them.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tokenizers import Tokenizer

from hmt_qa import chain
from hmt_qa.confidence import FILE as CONFIDENCE
from hmt_qa.confidence import Confidence
from hmt_qa.errors import InvalidCheckpoint
from hmt_qa.lanes import MOST_STREAMS, OPEN_AHEAD, Lanes, Meter
from hmt_qa.model.checkpoint import Checkpoint
from hmt_qa.reading.by_group import GroupReader
from hmt_qa.reading.by_segment import COMPANY, SegmentReader
from hmt_qa.reading.groups import SUMMARY_BATCH
from hmt_qa.types import EncodedText, MemoryShape, Segment, StoredMemory, StoredRow

if TYPE_CHECKING:
    from torch import Tensor

    from hmt_qa.model.config import HMTConfig
    from hmt_qa.model.fused import FusedLayers
    from hmt_qa.model.hmt import HMTForCausalLM, Segments
    from hmt_qa.model.machine import Machine
    from hmt_qa.model.recorded import Recorded

WIDTH_STEP = 64  # rows are padded to multiples of this: few shapes, little waste on short files
ROWS = (1, 2, 4, 8, 16, 32, 64)  # documents of a pass on a GPU: the least that hold those at hand


class LocalEngine:
    """Implements `hmt_qa.ports.MemoryReader` and what answering needs; safe to share between threads.

    Args:
        checkpoint: folder of a model (see `hmt_qa.model.checkpoint`).
        device, dtype, attention: as in `Machine.choose`.
        rows: documents of a pass of fixed shape; those that are not there are padding. By default what suits the device
            and the work: from 1 to 64 on a GPU; on a CPU documents are read in passes of their own.
    Raises `ModelMissing`, `InvalidCheckpoint`, `ModelTooLarge`.
    """

    def __init__(
        self,
        checkpoint: Path,
        *,
        device: str = "auto",
        dtype: str = "auto",
        attention: str = "auto",
        rows: int | None = None,
    ) -> None:
        self.read_together = SUMMARY_BATCH
        self.checkpoint = Checkpoint.open(checkpoint)
        self.model_id = self.checkpoint.model_id
        self._choice = {"device": device, "dtype": dtype, "attention": attention}
        self.meter = Meter()
        self._given_rows = rows
        self._shared: dict[tuple[int, int], bool] = {}
        self._group_readers: dict[int, GroupReader] = {}
        self._here = threading.local()  # the reader that a thread has joined
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

    @cached_property
    def confidence(self) -> Confidence | None:
        """How likely an answer is right, where it was measured of this model; raises `InvalidCheckpoint`."""
        return Confidence.read(self.checkpoint.find(CONFIDENCE), fingerprint=self.checkpoint.fingerprint)

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
        reader = self._reader_here
        own = reader.setting if isinstance(reader, GroupReader) else ""
        return f"{self.machine.name} summary_batch={SUMMARY_BATCH} width_step={WIDTH_STEP}{own}"

    @contextmanager
    def together(self, documents: int, *, workers: int | None = None) -> Iterator[Lanes]:
        """Read up to `documents` side by side, at most `workers` of them open at once.

        On a GPU they share passes of up to 64 rows; on a CPU each stream of passes has its share of the threads. How
        many follows from the arguments and the machine, and is part of `setting`; while it lasts, it is what threads
        that begin elsewhere in this process have.
        """
        import torch

        threads = torch.get_num_threads()
        most = min(documents, workers or documents)
        rows = self._rows_for(most)
        streams = 1 if rows else min(most, MOST_STREAMS, threads)
        reader = self._group_reader(rows) if rows else self._segment_reader(streams)

        def join() -> None:
            torch.set_num_threads(threads // streams)
            self._here.reader = reader

        try:
            yield Lanes(count=min(most, workers or OPEN_AHEAD * (rows or streams * COMPANY)), join=join)
        finally:
            torch.set_num_threads(threads)

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
        return self._reader_here.read(segments, committed=committed, tail=tail)

    @property
    def _reader_here(self) -> SegmentReader | GroupReader:
        """The one that this thread has joined, or one for a single document."""
        joined: SegmentReader | GroupReader | None = getattr(self._here, "reader", None)
        if joined is not None:
            return joined
        rows = self._rows_for(1)
        return self._group_reader(rows) if rows else self._segment_reader(streams=1)

    def _rows_for(self, documents: int) -> int:
        """Documents of a pass of fixed shape; 0 where each document is read in passes of its own."""
        if self._given_rows or self.machine.device.type != "cuda":
            return self._given_rows or 0
        return next((rows for rows in ROWS if rows >= documents), ROWS[-1])

    def _group_reader(self, rows: int) -> GroupReader:
        with self._lock:
            return self._group_readers.setdefault(rows, GroupReader(self, rows=rows))

    def _segment_reader(self, streams: int) -> SegmentReader:
        return SegmentReader(self, streams=streams, shared=self._shared)

    def rows(self, raw: bytes, hidden: int, dtype: str | None = None) -> Tensor:
        """Memories (N, M, D) on this engine's device from raw little-endian bytes, `hidden` numbers a segment."""
        import torch

        from hmt_qa.model.capturing import handed_over

        kind = getattr(torch, dtype or self.dtype)
        memories = self.config.memories_per_segment
        if not raw:
            return torch.zeros(0, memories, hidden // memories, dtype=self.machine.dtype, device=self.machine.device)
        shape = (-1, memories, hidden // memories)
        if self.machine.device.type == "cuda":
            return handed_over(raw, kind, self.machine.device).reshape(shape).to(self.machine.dtype)
        flat = torch.frombuffer(bytearray(raw), dtype=kind).reshape(shape)
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

        if self.recorded is not None:
            return self.recorded.summary(self.padded([question_ids]))
        # Nothing of it is stored, so no bit of a document hangs on its shape: without padding it takes half as long.
        segments = self.padded([question_ids], width=len(question_ids))
        with torch.inference_mode():
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
    ) -> Generator[int]:
        """Token ids of the greedy continuation of `[P ; ids]`, as they come; stop ids included."""
        import torch

        from hmt_qa.model import backbone
        from hmt_qa.model.streaming import stream_ids

        with torch.inference_mode():
            ids_1T = torch.tensor([ids], device=self.machine.device)
            embeds_1TD = self.model.prompt(prompt_1MD, ids_1T)

        def as_they_come() -> Generator[int]:
            return stream_ids(
                lambda streamer, stopping: backbone.generate(
                    self.model.backbone,
                    embeds_1TD,
                    max_new_tokens=max_new_tokens,
                    stop_ids=stop_ids,
                    pad_id=stop_ids[0],
                    streamer=streamer,
                    stopping=[stopping],
                )
            )

        if self.recorded is None or self.recorded.writer is None:
            return as_they_come()
        return self.recorded.writer.write(
            embeds_1TD, max_new_tokens=max_new_tokens, stop_ids=stop_ids, otherwise=as_they_come
        )

    @property
    def fused(self) -> FusedLayers | None:
        """The backbone's layers compiled, on a GPU and where it is of a kind that can be."""
        with self._lock:
            return self._fused

    @cached_property
    def _fused(self) -> FusedLayers | None:
        from hmt_qa.model.fused import FusedLayers

        return FusedLayers.of(self.model.backbone) if self.machine.device.type == "cuda" else None

    @property
    def recorded(self) -> Recorded | None:
        """A question's passes, where there is a GPU to record them on."""
        with self._lock:
            return self._recorded

    @cached_property
    def _recorded(self) -> Recorded | None:
        from hmt_qa.model.recorded import Recorded

        return Recorded.of(self.model) if self.machine.device.type == "cuda" else None

    def width(self, tokens: int) -> int:
        """What so many tokens are padded to."""
        return -(-tokens // WIDTH_STEP) * WIDTH_STEP

    def padded(self, rows: Sequence[Sequence[int]], *, width: int | None = None) -> Segments:
        """Ids on this engine's device, right-padded to one `width`."""
        import torch

        from hmt_qa.model.hmt import Segments

        width = self.width(max(len(row) for row in rows)) if width is None else width
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
