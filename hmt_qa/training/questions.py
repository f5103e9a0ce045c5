"""Question sets as arrays: contexts' tokens, questions, answers, and which tokens of the context are evidence.

Shapes: T tokens of all contexts · C contexts · Q questions · E evidence spans. A span is [first, last] in tokens of its
own context, both ends included.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from hmt_qa.training import jsonl
from hmt_qa.training.data import Ids, chunks

QUESTION_TOKENS = 64
ANSWER_TOKENS = 96  # as many as answering writes
ABSENT_KEPT = 6  # one in six of CUAD's questions about clauses a contract lacks
LONGEST_EVIDENCE = 1024  # tokens; a wider span says nothing about where to look
UNKNOWN = -1
VERSION = 2  # of the cached arrays

Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int32]


@dataclass(frozen=True)
class QuestionSets:
    """All sets in one table; rows of a context's questions are found by `asked_of`.

    context_tokens_T, context_offsets_C1: contexts joined. source_C, group_C: which set a
    context is from, and which document (an article's paragraphs share it).
    context_Q: the question's context. ids_, answer_, evidence_ with offsets: ragged. answer_span_Q2: tokens the answer
    was taken from, UNKNOWN where it is not a quote. unanswerable_Q: the context does not say it.
    """

    sources: npt.NDArray[np.str_]
    context_tokens_T: Ids
    context_offsets_C1: Ints
    source_C: Small
    group_C: Small
    context_Q: Small
    ids: Ids
    ids_offsets_Q1: Ints
    answer: Ids
    answer_offsets_Q1: Ints
    answer_span_Q2: Small
    evidence_E2: Small
    evidence_offsets_Q1: Ints
    unanswerable_Q: npt.NDArray[np.bool_]

    @classmethod
    def open(cls, data: Path, work: Path, tokenizer: Tokenizer) -> QuestionSets:
        """From the work folder, or read from the files `qa_contexts` and `qa_train` under `data`."""
        paths = jsonl.find(data, "qa_contexts*.jsonl.zst"), jsonl.find(data, "qa_train*.jsonl.zst")
        path = work / f"questions-{VERSION}-{jsonl.named([*paths[0], *paths[1]])}.npz"
        if not path.exists():
            work.mkdir(parents=True, exist_ok=True)
            growing = path.with_suffix(f".{os.getpid()}.npz")
            np.savez(growing, **_read(*paths, tokenizer))
            growing.rename(path)
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    def context(self, number: int) -> Ids:
        """A context's ids."""
        return self.context_tokens_T[self.context_offsets_C1[number] : self.context_offsets_C1[number + 1]]

    def question(self, number: int) -> Ids:
        """A question's ids, at most QUESTION_TOKENS."""
        return self.ids[self.ids_offsets_Q1[number] : self.ids_offsets_Q1[number + 1]]

    def answer_ids(self, number: int) -> Ids:
        """An answer's ids, one more than ANSWER_TOKENS where it goes on."""
        return self.answer[self.answer_offsets_Q1[number] : self.answer_offsets_Q1[number + 1]]

    def evidence(self, number: int) -> Small:
        """Spans (E, 2) of a question's evidence; none where it is unknown."""
        return self.evidence_E2[self.evidence_offsets_Q1[number] : self.evidence_offsets_Q1[number + 1]]

    @cached_property
    def asked_of(self) -> list[list[int]]:
        """Questions of each context."""
        asked: list[list[int]] = [[] for _ in range(len(self.source_C))]
        for number, context in enumerate(self.context_Q.tolist()):
            asked[context].append(number)
        return asked

    @cached_property
    def members(self) -> dict[int, list[int]]:
        """Contexts of each group, in their order."""
        groups: dict[int, list[int]] = defaultdict(list)
        for number, group in enumerate(self.group_C.tolist()):
            groups[group].append(number)
        return dict(groups)


def _read(context_paths: Sequence[Path], question_paths: Sequence[Path], tokenizer: Tokenizer) -> dict[str, Any]:
    contexts = [line for path in context_paths for line in jsonl.lines(path)]
    place = {str(line["ctx_id"]): number for number, line in enumerate(contexts)}
    asked = list(_kept(question_paths, place))
    group_of = {place[line["ctx_id"]]: (line["source"], line["doc_id"]) for line in asked}
    groups: dict[Any, int] = {}
    for number in range(len(contexts)):
        groups.setdefault(group_of.get(number, number), len(groups))
    sources = sorted({str(line["source"]) for line in contexts})
    encoded = _spelt(tokenizer, [str(line["text"]) for line in contexts])
    spans = [_spans(line, encoded[place[line["ctx_id"]]][1], contexts[place[line["ctx_id"]]]["text"]) for line in asked]
    questions = _encode(tokenizer, [line["question"].strip() for line in asked], QUESTION_TOKENS)
    answers = _encode(tokenizer, [_answer(line) for line in asked], ANSWER_TOKENS + 1)
    return {
        "sources": np.array(sources),
        "context_tokens_T": _joined([ids for ids, _ in encoded], np.uint16),
        "context_offsets_C1": _offsets([len(ids) for ids, _ in encoded]),
        "source_C": np.array([sources.index(line["source"]) for line in contexts], dtype=np.int32),
        "group_C": np.array([groups[group_of.get(n, n)] for n in range(len(contexts))], dtype=np.int32),
        "context_Q": np.array([place[line["ctx_id"]] for line in asked], dtype=np.int32),
        "ids": _joined(questions, np.uint16),
        "ids_offsets_Q1": _offsets(list(map(len, questions))),
        "answer": _joined(answers, np.uint16),
        "answer_offsets_Q1": _offsets(list(map(len, answers))),
        "answer_span_Q2": np.array([answer for answer, _ in spans], dtype=np.int32).reshape(-1, 2),
        "evidence_E2": np.array([span for _, found in spans for span in found], dtype=np.int32).reshape(-1, 2),
        "evidence_offsets_Q1": _offsets([len(found) for _, found in spans]),
        "unanswerable_Q": np.array([_refused(line) for line in asked]),
    }


def _refused(line: dict[str, Any]) -> bool:
    return bool(line.get("unanswerable") or line.get("absent") or not line["answers"])


def _kept(paths: Sequence[Path], place: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Questions whose context is there; of those about absent clauses one in ABSENT_KEPT."""
    absent = 0
    for path in paths:
        for line in jsonl.lines(path):
            absent += bool(line.get("absent"))
            dropped = line.get("absent") and absent % ABSENT_KEPT
            if line["ctx_id"] in place and line["question"].strip() and not dropped:
                yield line


def _answer(line: dict[str, Any]) -> str:
    """With a space in front: most words are one token behind a space and several at the beginning of a text."""
    return "" if _refused(line) else " " + str(line["answers"][0]).strip()


def _spans(line: dict[str, Any], starts_T: Small, text: str) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """The answer's own span (its first ANSWER_TOKENS), and the spans of evidence."""
    if _refused(line) or not len(starts_T):
        return (UNKNOWN, UNKNOWN), []

    def tokens(start: int, end: int) -> tuple[int, int]:
        first = int(np.searchsorted(starts_T, start, side="right")) - 1
        return max(first, 0), max(int(np.searchsorted(starts_T, end, side="left")) - 1, first, 0)

    found = [
        (start, start + len(answer))
        for answer, start in zip(line["answers"], line["answer_start"], strict=False)
        if 0 <= start < len(text) and text[start : start + len(answer)].casefold() == answer.casefold()
    ]
    quoted = bool(found) and found[0][0] == line["answer_start"][0]
    first, last = tokens(*found[0]) if quoted else (UNKNOWN, UNKNOWN)
    evidence = [(int(start), int(end)) for start, end in line.get("evidence") or []] or found
    spans = [tokens(start, end) for start, end in evidence if 0 <= start < end <= len(text)]
    spans = [span for span in spans if span[1] - span[0] < LONGEST_EVIDENCE]
    return (first, min(last, first + ANSWER_TOKENS - 1) if quoted else last), spans


def _spelt(tokenizer: Tokenizer, texts: list[str]) -> list[tuple[Ids, Small]]:
    """Each text's ids and the first character of each token."""
    rows = []
    for chunk in chunks(texts, 2_000):
        for encoding in tokenizer.encode_batch(chunk, add_special_tokens=False):
            starts = [start for start, _ in encoding.offsets]
            rows.append((np.array(encoding.ids, dtype=np.uint16), np.array(starts, dtype=np.int32)))
    return rows


def _encode(tokenizer: Tokenizer, texts: list[str], limit: int) -> list[list[int]]:
    rows: list[list[int]] = []
    for chunk in chunks(texts, 20_000):
        rows += [encoding.ids[:limit] for encoding in tokenizer.encode_batch_fast(chunk, add_special_tokens=False)]
    return rows


def _joined(rows: Sequence[Any], kind: type[Any]) -> npt.NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype=kind), *(np.asarray(row, dtype=kind) for row in rows)])


def _offsets(lengths: list[int]) -> Ints:
    return np.array([0, *accumulate(lengths)], dtype=np.int64)
