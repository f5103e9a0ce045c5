"""Reads development sets and long documents; knows files and characters, no tokens and no model.

Positions are characters of a context's text; spans are half open.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmt_qa.errors import FileMissing
from hmt_qa.training.jsonl import lines

OWN_DOCUMENT = frozenset({"cuad", "cuad_heldout", "qmsum_train", "qmsum_val"})
"""Their questions speak of "this contract" or "the meeting": in a joined document nobody could tell which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One source text; `id` is unique over all sets, `article` tells which texts are of one work."""

    id: str
    article: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question that its context answers; `spans` are where."""

    context: str
    text: str
    answers: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DevelopmentSet:
    """Contexts with questions whose evidence is known; others are left out and counted."""

    name: str
    contexts: tuple[Context, ...]
    questions: tuple[Question, ...]
    left_out: int

    @property
    def joinable(self) -> bool:
        """Whether a question can be asked of a document that holds other contexts too."""
        return self.name not in OWN_DOCUMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportQuestion:
    """A question of one PDF file, with the pages (from 1) that hold its evidence."""

    pdf: Path
    text: str
    answers: tuple[str, ...]
    pages: frozenset[int]


def development_sets(data: Path) -> list[DevelopmentSet]:
    """All sets of `data`/dev, by name; raises `FileMissing` where there is none."""
    folders = sorted(path.parent for path in data.glob("dev/*/contexts.jsonl.zst"))
    if not folders:
        raise _missing(data, "dev/*/contexts.jsonl.zst")
    return [_development_set(folder) for folder in folders]


def long_documents(data: Path) -> list[tuple[str, str]]:
    """(name, text) of each long validation document; raises `FileMissing`."""
    path = data / "corpus" / "long_valid.jsonl.zst"
    if not path.exists():
        raise _missing(data, "corpus/long_valid.jsonl.zst")
    return [(f"{line['source']}: {line['path']}", str(line["text"])) for line in lines(path)]


def report_questions(data: Path) -> list[ReportQuestion]:
    """Questions of the annual reports; none where they are not there."""
    folder = data / "dev" / "annual_reports"
    if not (folder / "qa.jsonl").exists():
        return []
    with (folder / "qa.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return [
        ReportQuestion(
            pdf=folder / "pdfs" / row["document"],
            text=row["question"],
            answers=tuple(map(str, row["answers"])),
            pages=frozenset(row["evidence_pages"]),
        )
        for row in rows
        if row["evidence_pages"]
    ]


def _missing(data: Path, name: str) -> FileMissing:
    return FileMissing(
        f"{data} holds no {name}.", subject=data, remedy="Name the folder that holds corpus/ and dev/ with --data."
    )


def _development_set(folder: Path) -> DevelopmentSet:
    asked = list(lines(folder / "qa.jsonl.zst"))
    article_of = {row["ctx_id"]: str(row["doc_id"]) for row in asked}
    contexts = {
        row["ctx_id"]: Context(id=row["ctx_id"], article=article_of.get(row["ctx_id"], row["ctx_id"]), text=row["text"])
        for row in lines(folder / "contexts.jsonl.zst")
    }
    questions = list(_questions(asked, contexts))
    return DevelopmentSet(
        name=folder.name,
        contexts=tuple(contexts.values()),
        questions=tuple(questions),
        left_out=len(asked) - len(questions),
    )


def _questions(asked: list[dict[str, Any]], contexts: dict[str, Context]) -> Iterator[Question]:
    for row in asked:
        answers = tuple(str(answer) for answer in row["answers"] if str(answer).strip())
        context = contexts.get(row["ctx_id"])
        if context is None or not answers or not row["question"].strip():
            continue
        if row.get("unanswerable") or row.get("absent"):
            continue
        if spans := _spans(row, context.text):
            yield Question(context=context.id, text=row["question"].strip(), answers=answers, spans=spans)


def _spans(row: dict[str, Any], text: str) -> tuple[tuple[int, int], ...]:
    """The annotated evidence, else where the answers stand."""
    evidence = [(int(start), int(end)) for start, end in row.get("evidence") or []]
    stated = zip(row["answers"], row["answer_start"], strict=False)
    spans = evidence or [span for answer, start in stated if (span := quoted(text, str(answer), start))]
    return tuple(dict.fromkeys(span for span in spans if 0 <= span[0] < span[1] <= len(text)))


def quoted(text: str, answer: str, start: int) -> tuple[int, int] | None:
    """Where `answer`, trimmed, stands in `text`: at `start`, else nearest to it; None where it stands nowhere."""
    wanted = answer.strip()
    if start < 0 or not wanted:
        return None
    start += len(answer) - len(answer.lstrip())
    if text[start : start + len(wanted)].casefold() != wanted.casefold():
        before, after = text.rfind(wanted, 0, start + len(wanted)), text.find(wanted, start)
        found = [place for place in (before, after) if place >= 0]
        if not found:
            return None
        start = min(found, key=lambda place: abs(place - start))
    return start, start + len(wanted)
