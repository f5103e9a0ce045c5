"""Reads many documents at once, a segment of each a step: what ingestion computes, batched over documents.

Shapes: B documents still going on · L tokens a segment · N segments remembered of a document · M memories a segment ·
Q questions · D hidden size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from hmt_qa.model.hmt import HMTForCausalLM, Reading, ReadingState, Segments
from hmt_qa.model.memory import MemoryBank

Ids = Sequence[int]


@dataclass(frozen=True, slots=True)
class Step:
    """Segment `number` of each document of `documents` (their places in what was given), as it was read."""

    number: int
    documents: tuple[int, ...]
    segments: Segments
    reading: Reading


@dataclass(frozen=True, slots=True)
class Batching:
    """How much goes through the model at once: rows of a segment's length, and the same for long prompts, in tokens."""

    rows: int
    tokens: int

    @classmethod
    def on(cls, device: torch.device) -> Batching:
        """Enough to fill this kind of device."""
        return cls(rows=256, tokens=400_000) if device.type == "cuda" else cls(rows=8, tokens=6_000)


def lock_step(
    model: HMTForCausalLM, documents: Sequence[Sequence[Ids]], *, batching: Batching, window: int | None = None
) -> Iterator[Step]:
    """Read documents given as their segments' ids, the longest first; memory prompts look at `window` memories.

    With a window of one memory the representation is not computed: a softmax over one row is 1 whatever the query.
    At most `batching.rows` documents go on at once.
    """
    order = sorted(range(len(documents)), key=lambda place: -len(documents[place]))
    for first in range(0, len(order), batching.rows):
        yield from _group(model, documents, order[first : first + batching.rows], batching, window)


def memories(model: HMTForCausalLM, documents: Sequence[Sequence[Ids]], *, batching: Batching) -> list[Tensor]:
    """All memories of each document, (N, M, D)."""
    rows: list[list[Tensor]] = [[] for _ in documents]
    with torch.inference_mode():
        for step in lock_step(model, documents, batching=batching):
            for place, row_MD in zip(step.documents, step.reading.memory_BMD, strict=True):
                rows[place].append(row_MD)
    return [torch.stack(of) for of in rows]


def summaries(model: HMTForCausalLM, questions: Sequence[Ids], *, batching: Batching) -> Tensor:
    """S of whole questions, (Q, D), in the order given; questions of a like length share a pass."""
    order = sorted(range(len(questions)), key=lambda place: len(questions[place]))
    made: dict[int, Tensor] = {}
    with torch.inference_mode():
        for first in range(0, len(order), batching.rows):
            places = order[first : first + batching.rows]
            batch = padded([questions[place] for place in places], device=model.device)
            made |= zip(places, model.represent(batch, length=batch.ids_BW.shape[1]), strict=True)
    return torch.stack([made[place] for place in range(len(questions))])


def padded(rows: Sequence[Ids], *, device: torch.device, width: int = 0) -> Segments:
    """Rows as one batch, padded on the right to the longest or to `width`."""
    lengths = [len(row) for row in rows]
    ids_BW = torch.zeros(len(rows), max(width, *lengths), dtype=torch.long)
    for place, row in enumerate(rows):
        ids_BW[place, : len(row)] = torch.tensor(row, dtype=torch.long)
    return Segments(ids_BW.to(device), torch.tensor(lengths, device=device))


def _group(
    model: HMTForCausalLM,
    documents: Sequence[Sequence[Ids]],
    order: Sequence[int],
    batching: Batching,
    window: int | None,
) -> Iterator[Step]:
    kept = window or model.config.recall_window
    state = model.initial_state(len(order))
    for number, places, segments, summary_BD in _represented(model, documents, order, batching, needed=kept > 1):
        state = _leading(state, len(places))
        reading = model.read(segments, summary_BD, state)
        state = ReadingState(reading.state.bank.newest(kept), reading.state.sensory)
        yield Step(number, places, segments, reading)


def _represented(
    model: HMTForCausalLM, documents: Sequence[Sequence[Ids]], order: Sequence[int], batching: Batching, *, needed: bool
) -> Iterator[tuple[int, tuple[int, ...], Segments, Tensor]]:
    """Each step's rows with their S; as many steps share a representation pass as fill it."""
    active = [
        (number, tuple(place for place in order if number < len(documents[place])))
        for number in range(max(len(documents[place]) for place in order))
    ]
    done = 0

    def filled(step: tuple[int, tuple[int, ...]]) -> int:
        nonlocal done
        done += len(step[1])
        return (done - len(step[1])) // batching.rows

    for _, group in groupby(active, key=filled):
        steps = list(group)
        rows = [documents[place][number] for number, places in steps for place in places]
        batch = padded(rows, device=model.device, width=model.config.segment_length)
        sizes = [len(places) for _, places in steps]
        if needed:
            parts = [Segments(*part) for part in _split(batch, batching.rows)]
            summary_BD = torch.cat([model.represent(part) for part in parts])
        else:
            summary_BD = model.memory.summary_prompt_D.new_zeros(len(rows), model.config.hidden_size)
        for (number, places), ids_BL, lengths_B, S_BD in zip(
            steps, batch.ids_BW.split(sizes), batch.lengths_B.split(sizes), summary_BD.split(sizes), strict=True
        ):
            yield number, places, Segments(ids_BL, lengths_B), S_BD


def _split(batch: Segments, rows: int) -> list[tuple[Tensor, Tensor]]:
    return list(zip(batch.ids_BW.split(rows), batch.lengths_B.split(rows), strict=True))


def _leading(state: ReadingState, count: int) -> ReadingState:
    """The state of the first `count` documents: the others have ended."""
    bank, sensory = state.bank, state.sensory
    return ReadingState(
        MemoryBank(bank.rows_BMND[:count], bank.counts_B[:count]),
        Segments(sensory.ids_BW[:count], sensory.lengths_B[:count]),
    )
