"""What the commands that care for the library print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from hmt_qa.types import Collected, Document, Imported, Verdict
from hmt_ui.printing import line, printable


def exported(documents: Sequence[Document], file: Path, *, with_text: bool, as_json: bool) -> None:
    """What was written."""
    size = file.stat().st_size
    for document in documents:
        if as_json:
            row = {"document": document.id, "title": document.title, "file": str(file)}
            line(row | {"segments": document.segments, "text": with_text, "file_bytes": size})
    if not as_json:
        kind = "" if with_text else ", without text"
        print(f"{len(documents)} documents in {printable(str(file))} ({size:,} bytes{kind})")


def imported(taken: Imported, *, as_json: bool) -> None:
    """One document that was taken in."""
    document, status = taken.document, "imported" if taken.new else "unchanged"
    if as_json:
        row = {"document": document.id, "collection": document.collection, "title": document.title, "status": status}
        line(row | {"pages": document.pages, "segments": document.segments, "text": taken.with_text})
    else:
        kind = "" if taken.with_text else ", without text: ask with --mode memory"
        print(f"{status:10} {document.id}  {printable(document.title)}  ({document.pages} pages{kind})")


def verdict(found: Verdict, *, as_json: bool) -> None:
    """What `verify` saw."""
    if as_json:
        line(asdict(found))
    else:
        name = f"{found.document}  {printable(found.title)}".strip() or "library"
        print(f"{'ok ' if found.ok else 'BAD'}  {name}: {printable(found.detail)}")


def collected(kinds: Sequence[Collected], *, as_json: bool) -> None:
    """What `gc` removed."""
    for kind in kinds:
        if as_json:
            line(asdict(kind))
        else:
            print(f"removed {kind.kind}: {kind.count:,} ({kind.size_bytes:,} bytes)")
    if not kinds and not as_json:
        print("Everything is in use; nothing was removed.")
