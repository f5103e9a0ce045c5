"""Reading on a CPU: a step of a document at a time, in company of other documents where that changes no bit.

Shapes: B rows of a batch · N segments remembered · M memories a segment · D hidden size · W padded width, tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hmt_qa.lanes import LockStep
from hmt_qa.reading.groups import groups_from
from hmt_qa.types import Segment

if TYPE_CHECKING:
    from torch import Tensor

    from hmt_qa.engine import LocalEngine
    from hmt_qa.model.hmt import ReadingState

COMPANY = 2
"""Documents that may share a step, where that is seen to change no bit."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One document's next step: its segment, what that is about, and the state before it; each of batch 1."""

    segment: Segment
    summary_1D: Tensor
    state: ReadingState


class SegmentReader:
    """Reads documents for as many threads as call it; at most `streams` passes go on at once.

    `shared` remembers, by documents and width of a step, whether sharing it changes no bit of this model.
    """

    def __init__(self, engine: LocalEngine, *, streams: int, shared: dict[tuple[int, int], bool]) -> None:
        self._engine, self._shared = engine, shared
        self._steps: LockStep[_Step, Tensor] = LockStep(
            self._memorise, shape=self._width, rows=COMPANY, streams=streams, meter=engine.meter
        )

    def read(self, segments: Iterable[Segment], *, committed: int, tail: bytes) -> Iterator[tuple[Segment, bytes]]:
        """See `hmt_qa.ports.MemoryReader.read`."""
        engine = self._engine
        bank_NMD = engine.rows(tail, engine.hidden)
        state: ReadingState | None = None
        for group, before in groups_from(segments, committed, engine.config.sensory_length):
            summaries = self._summaries(group)
            for segment in group:
                if segment.number >= committed:
                    state = state or self._state(bank_NMD, before)
                    memory_1MD = self._steps.step(_Step(segment, summaries[segment.number], state))
                    state = self._after(state, segment, memory_1MD)
                    engine.meter.count(len(segment.token_ids))
                    yield segment, engine.raw(memory_1MD[0])

    def _summaries(self, group: Sequence[Segment]) -> Mapping[int, Tensor]:
        """S, (1, D), by segment number; zeros for the first two: with no memory or one, any question recalls that."""
        import torch

        engine = self._engine
        asking = [segment for segment in group if segment.number > 1]
        nothing_1D = torch.zeros(1, engine.config.hidden_size, dtype=engine.machine.dtype)
        summaries = dict.fromkeys((segment.number for segment in group), nothing_1D)
        if asking:
            with self._steps.turn(), torch.inference_mode():
                summaries_BD = engine.model.represent(engine.padded([segment.token_ids for segment in asking]))
            summaries |= zip((segment.number for segment in asking), summaries_BD.split(1), strict=True)
        return summaries

    def _memorise(self, steps: Sequence[_Step]) -> Sequence[Tensor]:
        """M, (1, M, D), of steps of one width, with the bits that each would have alone.

        They share a pass where it was compared, once, with passes of one row: which sum is computed in which order
        depends on shapes, not on numbers, so that what agrees once agrees for good.
        """
        if len(steps) == 1:
            return self._one_pass(steps)
        shape = (len(steps), self._width(steps[0]))
        if self._shared.get(shape):
            return self._one_pass(steps)
        alone = [memory_1MD for step in steps for memory_1MD in self._one_pass([step])]
        if shape not in self._shared:
            raw = self._engine.raw
            together = self._one_pass(steps)
            self._shared[shape] = all(raw(one) == raw(other) for one, other in zip(alone, together, strict=True))
        return alone

    def _one_pass(self, steps: Sequence[_Step]) -> Sequence[Tensor]:
        """Recalls have shapes of their own: no bit depends on how long another document's memory is."""
        import torch

        from hmt_qa.model.hmt import Segments

        engine = self._engine
        with torch.inference_mode():
            prompts = [engine.model.recall(step.summary_1D, step.state.bank).prompt_BMD for step in steps]
            sensory = Segments(
                torch.cat([step.state.sensory.ids_BW for step in steps]),
                torch.cat([step.state.sensory.lengths_B for step in steps]),
            )
            segments = engine.padded([step.segment.token_ids for step in steps])
            memory_BMD: Tensor = engine.model.memorise(segments, torch.cat(prompts), sensory)
        return list(memory_BMD.split(1))

    def _width(self, step: _Step) -> int:
        return self._engine.width(len(step.segment.token_ids))

    def _state(self, bank_NMD: Tensor, before: Sequence[int]) -> ReadingState:
        from hmt_qa.model.hmt import ReadingState
        from hmt_qa.model.memory import MemoryBank

        sensory = self._engine.padded([before], width=self._engine.config.sensory_length)
        return ReadingState(MemoryBank.of(bank_NMD), sensory)

    def _after(self, state: ReadingState, segment: Segment, memory_1MD: Tensor) -> ReadingState:
        """Only what the next step attends to: memory use does not grow with the document."""
        import torch

        from hmt_qa.model.hmt import ReadingState

        with torch.inference_mode():
            bank = state.bank.remember(memory_1MD).newest(self._engine.recall_window)
            sensory = self._engine.padded([segment.token_ids]).tail(self._engine.config.sensory_length, state.sensory)
        return ReadingState(bank, sensory)
