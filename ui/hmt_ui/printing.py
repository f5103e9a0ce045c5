"""What commands print: JSON Lines by the contract, or text for people. Results go to stdout, nothing else does."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hmt_qa.types import (
    Answer,
    Citation,
    Conversation,
    Document,
    Finding,
    IngestResult,
    IngestStatus,
    Job,
    JobState,
    SearchResult,
    Turn,
)

_VERDICTS = {
    True: "without the places cited the answer changes",
    False: "the answer is the same without the places cited, or none of them says it",
}


def line(record: Mapping[str, Any]) -> None:
    """One JSON object on a line of its own."""
    print(json.dumps(record, ensure_ascii=False, default=str), flush=True)


def ingested(result: IngestResult, *, as_json: bool, dry_run: bool = False) -> None:
    """One input's fate, or in a dry run what it would be."""
    if as_json:
        keys = ("document", "path", "status", "pages", "tokens", "segments", "seconds", "error")
        line({key: getattr(result, key) for key in keys})
    elif result.status in {IngestStatus.FAILED, IngestStatus.CANCELLED}:
        print(f"{result.status:10} {printable(result.path)}: {printable(result.error)}", file=sys.stderr)
    elif dry_run:
        foreseen = (
            f"{result.status} again" if result.status is IngestStatus.INGESTED and result.document else result.status
        )
        print(f"would be {foreseen:14} {result.document:12}  {printable(result.path)}")
    else:
        rate = f", {result.tokens / result.seconds:,.0f} tokens/s" if result.seconds >= 1 else ""
        size = f"{result.pages} pages, {result.tokens:,} tokens, {result.segments} segments"
        print(f"{result.status:10} {result.document}  {printable(result.path)}  ({size}, {result.seconds:.1f} s{rate})")
        if result.error:
            print(f"           {printable(result.path)}: {printable(result.error)}", file=sys.stderr)


def answered(stream: Iterator[str | Answer], *, as_json: bool, told: Mapping[str, Any] | None = None) -> Answer:
    """The answer, then its citations and timings; `told` goes before the contract's JSON keys.

    On a terminal it is shown as it is written, until its marks `[1]` are known.
    """
    pieces = _shown(stream) if sys.stdout.isatty() and not as_json else stream
    (answer,) = [item for item in pieces if isinstance(item, Answer)]
    if as_json:
        line({**(told or {}), **answer_record(answer)})
    else:
        print(printable(marked(answer), keep_newlines=True))
        _print_sources(answer)
    return answer


def _shown(stream: Iterator[str | Answer]) -> Iterator[str | Answer]:
    """Pass the stream on; what is written stands on the terminal until it ends."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    said = Text()
    with Live(console=Console(), transient=True, auto_refresh=False) as shown:
        for item in stream:
            if isinstance(item, str):
                said.append(printable(item, keep_newlines=True))
                shown.update(said, refresh=True)
            yield item


def marked(answer: Answer) -> str:
    """The answer with the number of its citation behind each sentence that has one: `It was 1904. [1]`."""
    text = answer.text
    for number, citation in reversed(list(enumerate(answer.citations, 1))):
        if citation.supports:
            text = f"{text[: citation.answer_end]} [{number}]{text[citation.answer_end :]}"
    return text


def answer_record(answer: Answer) -> dict[str, Any]:
    """The contract's JSON object for an answer."""
    return {
        "answer": answer.text,
        "answerable": answer.answerable,
        "citations": [asdict(citation) for citation in answer.citations],
        "timings_ms": {name: round(value, 1) for name, value in asdict(answer.timings_ms).items()},
        "model": answer.model,
        "mode": str(answer.mode),
        "confidence": None if answer.confidence is None else round(answer.confidence, 4),
        "verified": answer.verified,
    }


def _print_sources(answer: Answer) -> None:
    if not answer.answerable and answer.citations:
        print("  The nearest places:")
    for number, citation in enumerate(answer.citations, 1):
        print(f"  [{number}] {printable(citation.title)}, {page_words(citation)} ({ranks(citation)})")
        print(f"      “{printable(citation.quote)}”")
    if answer.verified is not None:
        print(f"  {'verified' if answer.verified else 'not verified'}: {_VERDICTS[answer.verified]}")
    timings = answer.timings_ms
    print(
        f"  {answer.mode} · resume {timings.resume:.0f} ms · recall {timings.recall:.0f} ms · "
        f"first token {timings.first_token:.0f} ms · total {timings.total:.0f} ms"
        + ("" if answer.confidence is None else f" · confidence {answer.confidence:.2f}")
    )


def ranks(place: Citation | SearchResult) -> str:
    """What each ranking thought of a place; `-` where one did not return it."""
    memory, keyword = (rank or "-" for rank in (place.memory_rank, place.keyword_rank))
    return f"weight {place.weight:.4f}, memory #{memory}, keyword #{keyword}"


def page_words(citation: Citation) -> str:
    """`page 12`, with what is printed on the page where that differs: `page 12 (printed: iv)`."""
    if citation.page_label in ("", str(citation.page)):
        return f"page {citation.page}"
    return f"page {citation.page} (printed: {printable(citation.page_label)})"


def found(result: SearchResult, *, as_json: bool) -> None:
    """One ranked place."""
    if as_json:
        record = asdict(result)
        line(record)
        return
    pages = (
        str(result.page_first) if result.page_first == result.page_last else f"{result.page_first}-{result.page_last}"
    )
    print(f"{result.rank:3}. {printable(result.title)}, page {pages}  score {result.score:.4f}  ({ranks(result)})")
    print(f"     {printable(result.text)[:240]}")


def documents(rows: Sequence[Document], *, as_json: bool) -> None:
    """The library's list."""
    for row in rows:
        if as_json:
            line(asdict(row))
        else:
            print(f"{row.id}  {row.pages:5} pages  {row.tokens:9,} tokens  {row.collection}  {printable(row.title)}")
    if not rows and not as_json:
        print("The library is empty. Ingest something: hmt-qa ingest FILE", file=sys.stderr)


def document(row: Document, *, as_json: bool) -> None:
    """One document in full."""
    if as_json:
        line(asdict(row))
        return
    for name, value in asdict(row).items():
        print(f"{name:11} {printable(str(value))}")


def conversations(rows: Sequence[Conversation], *, as_json: bool) -> None:
    """Conversations with what each is about."""
    for row in rows:
        if as_json:
            line(asdict(row))
        else:
            about = f"{len(row.documents)} documents" if row.documents else row.collection or "everything"
            when = f"{row.updated_at:%Y-%m-%d %H:%M}"
            print(f"{row.id}  {when}  {row.turns:4} turns  {printable(about)}  {printable(row.title)}")


def turns(rows: Sequence[Turn], *, as_json: bool) -> None:
    """What was asked and answered in a conversation."""
    for row in rows:
        if as_json:
            line({"turn": row.number, "question": row.question, "asked_at": row.asked_at, **answer_record(row.answer)})
        else:
            print(f"Q{row.number}: {printable(row.question)}\nA{row.number}: {printable(row.answer.text)}")
            _print_sources(row.answer)


def conversation_removed(row: Conversation, *, as_json: bool) -> None:
    """What was deleted."""
    if as_json:
        line({"conversation": row.id, "title": row.title, "removed": True})
    else:
        print(f"removed {row.id}  {printable(row.title)}")


def removed(row: Document, *, as_json: bool) -> None:
    """What was deleted."""
    if as_json:
        line({"document": row.id, "path": row.path, "title": row.title, "removed": True})
    else:
        print(f"removed {row.id}  {printable(row.title)}")


def jobs(rows: Sequence[Job], *, as_json: bool) -> None:
    """Ingestions."""
    for row in rows:
        if as_json:
            line({**asdict(row), "fraction": round(row.fraction, 4)})
        else:
            state = "cancelling" if row.state is JobState.RUNNING and row.cancel_requested else row.state
            print(
                f"{row.id:5}  {state:11}  {row.fraction:6.1%}  {row.tokens_done:9,} tokens  {printable(row.path)}"
                + (f"  {row.tokens_per_second:,.0f} tokens/s by {printable(row.owner)}" if row.owner else "")
                + (f"  {printable(row.error)}" if row.error else "")
            )


def findings(rows: Sequence[Finding], *, as_json: bool) -> None:
    """What `doctor` saw."""
    for row in rows:
        if as_json:
            line(asdict(row))
        else:
            print(f"{'ok ' if row.ok else 'BAD'}  {row.check:10} {printable(row.detail)}")


def settings(values: Mapping[str, Any], origins: Mapping[str, str], *, as_json: bool) -> None:
    """Every setting with its origin."""
    for name, value in values.items():
        if as_json:
            line({"setting": name, "value": value, "origin": origins[name]})
        else:
            print(f"{name:22} {value!s:40} ({origins[name]})")


def printable(text: str, *, keep_newlines: bool = False) -> str:
    """Text of a document or a file name made safe for a terminal: no control characters, no lone surrogates."""
    clean = "".join(
        char if char.isprintable() or (keep_newlines and char == "\n") else " "
        for char in text.encode("utf-8", "replace").decode("utf-8")
    )
    return clean if keep_newlines else " ".join(clean.split())
