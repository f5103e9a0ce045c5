"""Answers as the product's own writer reads for them, many questions at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hmt_qa.confidence import Signs
from hmt_qa.evaluation.decoding import decode
from hmt_qa.evaluation.subjects import Subject
from hmt_qa.model.prompts import Prompt
from hmt_qa.writers.close_reading import BEGINNING, CloseReader, Posed, Reading
from hmt_qa.writers.memory import ANSWER_TOKENS

_TOKENS = 2_000  # that a question is about, of all its prompts


@dataclass(frozen=True, slots=True)
class Written:
    """A whole answer, its stop id included, and what its reader thought of it; no ids where it says nothing."""

    ids: Sequence[int]
    signs: Signs | None


def read_closely(subject: Subject, posed: Sequence[Posed], *, refusal: int) -> list[Written]:
    """Of each question the answer, to its end; whether it is confident enough is for the caller to say."""
    reader = CloseReader(subject.engine, subject.format, refusal=refusal)
    together = max(1, subject.batching.tokens // _TOKENS)
    readings = [one for first in range(0, len(posed), together) for one in reader.read(posed[first : first + together])]
    unended = [one for one in readings if one is not None and one.ids[-1] not in subject.format.stop]
    rest = iter(_rest(subject, unended))
    return [_written(one, subject, rest) for one in readings]


def _written(reading: Reading | None, subject: Subject, rest: Iterator[list[int]]) -> Written:
    if reading is None:
        return Written((), None)
    ended = reading.ids[-1] in subject.format.stop
    return Written([*reading.ids, *(() if ended else next(rest))], reading.signs)


def _rest(subject: Subject, unended: Sequence[Reading]) -> list[list[int]]:
    prompts = [Prompt(one.prompt.memory_MD, (*one.prompt.ids, *one.ids)) for one in unended]
    return decode(
        subject.model,
        prompts,
        max_new_tokens=ANSWER_TOKENS - BEGINNING,
        stop_ids=subject.format.ends,
        batching=subject.batching,
    )
