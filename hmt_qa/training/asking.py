"""A passage, then an answer that stands in it, then the question: how a backbone learns to ask, and what it asked.

The order is not that of reading, so that both can be told apart by one model. Source: Alberti et al. 2019,
arXiv 1906.05416, who generate questions from unlabelled text and keep those that a reader answers alike.

Shapes: T tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from hmt_qa.prompt import PromptFormat
from hmt_qa.training import jsonl
from hmt_qa.training.data import Ids, TokenStore, cached, write_store
from hmt_qa.training.questions import UNKNOWN, QuestionSets

SOURCE = "squad_v1_train"  # people's questions about short passages, answers quoted
PASSAGE = 256  # tokens
ANSWER = 12  # tokens of the longest answer that is asked for
SHORTEST = 5  # tokens of a question


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its answer: the answer's tokens are passage[first : last + 1]."""

    question: list[int]
    first: int
    last: int


def asking_prompt(form: PromptFormat, passage: Sequence[int]) -> list[int]:
    """What a question is asked from: the passage and the mark that an answer follows."""
    return [*form.passage, *passage, *form.answer]


def asking_line(form: PromptFormat, passage: Sequence[int], asked: Asked) -> list[int]:
    """The prompt, and what is written behind it; the end mark is the store's."""
    answer = passage[asked.first : asked.last + 1]
    return [*asking_prompt(form, passage), *answer, *form.question, *asked.question]


def asked_of(form: PromptFormat, passage: Sequence[int], written: Sequence[int]) -> Asked | None:
    """What was asked; None where it has not ended, the answer is no quote of the passage, or the question tells it."""
    ended = next((place for place, token in enumerate(written) if token == form.stop[0]), None)
    marks = [place for place, token in enumerate(written[:ended]) if token == form.question[0]]
    if ended is None or len(marks) != 1:
        return None
    answer, question = list(written[: marks[0]]), list(written[marks[0] + 1 : ended])
    if not 0 < len(answer) <= ANSWER or len(question) < SHORTEST or _place(question, answer) is not None:
        return None
    place = _place(passage, answer)
    return None if place is None else Asked(question, place, place + len(answer) - 1)


def asking_lines(data: Path, work: Path, tokenizer: Tokenizer) -> TokenStore:
    """Every quoted answer of SOURCE and its question behind the passage, as a document."""
    name = jsonl.named(jsonl.find(data, "qa_contexts*.jsonl.zst", "qa_train*.jsonl.zst"))
    form = PromptFormat.of(tokenizer)

    def documents() -> Iterator[Ids]:
        sets = QuestionSets.open(data, work, tokenizer)
        wanted = sets.sources[sets.source_C[sets.context_Q]] == SOURCE
        for number in np.flatnonzero(wanted).tolist():
            first, last = sets.answer_span_Q2[number].tolist()
            if first == UNKNOWN or last - first >= ANSWER:
                continue
            ids_T = sets.context(int(sets.context_Q[number]))
            start = int(np.clip(first - PASSAGE // 2, 0, max(len(ids_T) - PASSAGE, 0)))
            asked = Asked(sets.question(number).tolist(), first - start, last - start)
            yield np.array(asking_line(form, ids_T[start : start + PASSAGE].tolist(), asked), dtype=np.uint16)

    return cached(work / f"asking-{name}", lambda folder: write_store(folder, documents()))


def _place(tokens: Sequence[int], wanted: Sequence[int]) -> int | None:
    """Where `wanted` first stands in `tokens`."""
    if not wanted or len(wanted) > len(tokens):
        return None
    rows = np.lib.stride_tricks.sliding_window_view(np.asarray(tokens), len(wanted))
    found = np.flatnonzero((rows == np.asarray(wanted)).all(axis=1))
    return int(found[0]) if len(found) else None
