"""Measures a library on a PostgreSQL server beside one in a file: bytes a segment, commits a second, keyword search.

    python benchmarks/server.py [--documents 100] [--writers 1 2 4] [--json]

Starts a server of its own, with PostgreSQL's own settings. Text is the standard library's sources, cut into segments of
256 tokens by the packaged model's tokenizer; memory rows have hmt-small's size and random numbers: no model is run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import re
import statistics
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from itertools import islice
from pathlib import Path

from hmt_ingest.segmenting import PagedSegment, segment_pages
from hmt_qa.app import EMBEDDED_MODEL
from hmt_qa.chain import first_state_id, next_state_id
from hmt_qa.engine import LocalEngine
from hmt_qa.types import Page, SourceFile
from hmt_storage.library import SqlLibrary
from tests import postgres

SEGMENTS = 50
HIDDEN = 4 * 512
QUESTIONS = 40


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a library on a PostgreSQL server.")
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout and nothing else")
    chosen = parser.parse_args()
    figures: dict[str, float] = {"load_at_start": os.getloadavg()[0]}
    pieces = segments(chosen.documents * SEGMENTS)
    with postgres.running_server(durable=True) as socket, tempfile.TemporaryDirectory() as folder:
        for name, url in (("sqlite", None), ("postgresql", postgres.new_schema(socket))):
            library = SqlLibrary.open(Path(folder, name), url=url)
            seconds = [commit(library, number, pieces) for number in range(chosen.documents)]
            figures[f"{name}_commits_per_second"] = SEGMENTS / statistics.median(seconds)
            figures[f"{name}_bytes_per_segment"] = size(library, Path(folder, name)) / (chosen.documents * SEGMENTS)
            figures[f"{name}_keyword_median_ms"] = asking(library, pieces)
            library.close()
        for writers in chosen.writers:
            figures[f"postgresql_commits_per_second_of_{writers}"] = together(writers, socket, Path(folder), pieces)
    figures["load_at_end"] = os.getloadavg()[0]
    if chosen.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:40} {value:,.4g}")


@cache
def segments(count: int) -> list[PagedSegment]:
    """From the sources of the standard library, pages of 60 lines."""
    lines = (
        line
        for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    )
    pages = iter(lambda: "".join(islice(lines, 60)), "")
    numbered = (Page(number=number, label=str(number), text=text) for number, text in enumerate(pages, 1))
    engine = LocalEngine(EMBEDDED_MODEL, device="cpu")
    return list(islice(segment_pages(numbered, encode=engine.encode, length=256), count))


def commit(library: SqlLibrary, number: int, pieces: Sequence[PagedSegment]) -> float:
    """Ingest one document of `SEGMENTS` segments; returns the seconds that its commits took."""
    path = f"/made/{os.getpid()}/{number}"
    digest = hashlib.sha256(path.encode()).hexdigest()
    source = SourceFile(path=path, collection="default", sha256=digest, size_bytes=1)
    about = {"reader": "text", "title": path, "media_type": "text/plain", "pages_total": SEGMENTS}
    model = {"model_id": "hmt-small", "setting": "made", "dtype": "bfloat16", "hidden": HIDDEN}
    ingestion = library.begin(source, **about, **model)
    state, end, pages = first_state_id("hmt-small"), 0, 0
    own = pieces[number * SEGMENTS : (number + 1) * SEGMENTS]
    begun = time.perf_counter()
    for place, paged in enumerate(own):
        segment = paged.segment
        state = next_state_id(state, segment.token_ids, "hmt-small")
        length = segment.char_end - segment.char_start
        fitted = segment.__class__(
            number=place, token_ids=segment.token_ids, text=segment.text, char_start=end, char_end=end + length,
            page_first=1, page_last=SEGMENTS,
        )  # fmt: skip
        new = [Page(number=pages + 1, label=str(pages + 1), text=segment.text)] if place % 2 == 0 else []
        ingestion.commit(fitted, memory_row=os.urandom(2 * HIDDEN), state_id=state, pages=new)
        end, pages = end + length, pages + len(new)
    seconds = time.perf_counter() - begun
    ingestion.finish()
    return seconds


def size(library: SqlLibrary, home: Path) -> int:
    """Bytes of tables and indexes, freshly vacuumed."""
    library.collect_garbage()
    measured: Callable[[], int] | None = getattr(library._database, "_size", None)
    return measured() if measured else (home / "library.db").stat().st_size


def asking(library: SqlLibrary, pieces: Sequence[PagedSegment]) -> float:
    """Median milliseconds of a question of six words that some segment has."""
    ids = library.document_ids()
    times = []
    for number in range(QUESTIONS):
        words = re.findall(r"[A-Za-z]{5,}", pieces[number * 97 % len(pieces)].segment.text)
        begun = time.perf_counter()
        library.keyword_search(" ".join(words[:6]), documents=ids, top=100)
        times.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(times)


def together(writers: int, socket: Path, home: Path, pieces: Sequence[PagedSegment]) -> float:
    """Commits a second of several processes into one library, each its own documents, from the first to the last."""
    url = postgres.new_schema(socket)
    SqlLibrary.open(home / "cache", url=url).close()
    each = min(8, len(pieces) // SEGMENTS)
    with multiprocessing.get_context("fork").Pool(writers) as pool:
        begun = time.perf_counter()
        pool.starmap(_write, [(url, home / "cache", each) for _ in range(writers)], chunksize=1)
        return writers * each * SEGMENTS / (time.perf_counter() - begun)


def _write(url: str, home: Path, documents: int) -> None:
    library = SqlLibrary.open(home, url=url)
    pieces = segments(documents * SEGMENTS)
    for number in range(documents):
        commit(library, number, pieces)
    library.close()


if __name__ == "__main__":
    main()
