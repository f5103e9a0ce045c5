"""Measures 64 documents of mixed lengths read one by one and side by side, in turns, into a new library each time.

    python benchmarks/together.py [--documents N] [--rounds N] [--rows N] [--workers N] [--json FILE]

The documents are the standard library's own sources, as text, from 150 to 3,000 tokens. The engines have read before
the clock starts; a run is whole: parsing, reading, storing, tidying. `--rows` fixes the rows of a step, filled or not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from spine import machine

from hmt_ingest.pipeline import FileIngestor
from hmt_qa.app import EMBEDDED_MODEL, DocumentQA
from hmt_qa.engine import LocalEngine
from hmt_qa.lanes import Meter
from hmt_qa.types import IngestOptions
from hmt_storage.library import SqlLibrary

SHORTEST, LONGEST = 150, 3_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One ingestion of all documents; `busy` is the share of its time that the model was at work.

    `tokens_per_cpu_second` counts the processor time of all threads, which others on the machine take nothing from.
    """

    tokens: int
    seconds: float
    tokens_per_second: float
    tokens_per_cpu_second: float
    busy: float


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, help="documents a step; by default what suits the device")
    parser.add_argument("--workers", type=int, help="documents open at once; by default what suits the device")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    print(machine())
    engines = {"one by one": LocalEngine(EMBEDDED_MODEL), "together": LocalEngine(EMBEDDED_MODEL, rows=arguments.rows)}
    workers = {"one by one": 1, "together": arguments.workers}
    runs: dict[str, list[Run]] = {name: [] for name in engines}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_documents(home / "documents", arguments.documents)
        for number in range(arguments.rounds + 1):
            for name, engine in engines.items():
                run = ingest(home / f"{name} {number}", home / "documents", engine, workers[name])
                if number:  # the first round also loads and warms up
                    runs[name].append(run)
                    print(f"{name:>10}: {run.tokens:,} tokens, {run.tokens_per_second:,.0f} tokens/s", flush=True)
    for name, of in runs.items():
        rate, cpu_rate, busy = (
            statistics.median(getattr(run, field) for run in of)
            for field in ("tokens_per_second", "tokens_per_cpu_second", "busy")
        )
        print(
            f"{name}: {rate:,.0f} tokens/s, {cpu_rate:,.0f} a second of processor time, model busy {busy:.0%} "
            f"(medians of {len(of)})"
        )
    pairs = zip(runs["together"], runs["one by one"], strict=True)
    ratios = [side_by_side.tokens_per_second / alone.tokens_per_second for side_by_side, alone in pairs]
    print(f"together over one by one: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(machine())
    if arguments.json:
        figures = {"machine": machine(), "runs": {name: [asdict(run) for run in of] for name, of in runs.items()}}
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def write_documents(folder: Path, count: int) -> None:
    """Texts of lengths spread evenly over their logarithms, each with words of its own."""
    folder.mkdir()
    engine, paragraphs = LocalEngine(EMBEDDED_MODEL), _paragraphs()
    for number in range(count):
        wanted = SHORTEST * (LONGEST / SHORTEST) ** (number / max(count - 1, 1))
        text = ""
        while len(engine.encode(text).ids) < wanted:
            text += next(paragraphs) + "\n\n"
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")


def _paragraphs() -> Iterator[str]:
    for source in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if "site-packages" not in source.parts and "test" not in source.parts:
            yield from source.read_text(encoding="utf-8", errors="ignore").split("\n\n")


def ingest(home: Path, documents: Path, engine: LocalEngine, workers: int | None) -> Run:
    """Read all documents into a new library."""
    engine.meter = Meter()
    library = SqlLibrary.open(home)
    with DocumentQA(library=library, engine=engine, ingestor=FileIngestor()) as qa:
        began, worked = time.perf_counter(), time.process_time()
        results = list(qa.ingest([documents], options=IngestOptions(workers=workers)))
        seconds, worked = time.perf_counter() - began, time.process_time() - worked
    if failed := [result.error for result in results if result.error]:
        raise SystemExit(failed[0])
    tokens = engine.meter.tokens
    return Run(
        tokens=tokens,
        seconds=seconds,
        tokens_per_second=tokens / seconds,
        tokens_per_cpu_second=tokens / worked,
        busy=engine.meter.busy / seconds,
    )


if __name__ == "__main__":
    main()
