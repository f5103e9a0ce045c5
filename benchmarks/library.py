"""Times opening and searching a library of 10,000 documents of 50 segments, made without reading a file.

    python benchmarks/library.py [--home DIR] [--documents 10000] [--questions 60] [--json]

A home that holds the library already is used as it is. The first question of each kind, which loads the model or builds
the index, is given apart. Questions are six words: some common, some rare.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from library_made import WORDS, Plan, make, vocabulary

from hmt_qa import DocumentQA
from hmt_qa.app import EMBEDDED_MODEL
from hmt_qa.model.checkpoint import Checkpoint
from hmt_qa.types import Ranking

SEGMENTS, PARTS, WIDTH = 50, 4, 512


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a library of very many documents.")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout and nothing else")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(chosen.home or Path(folder), chosen.documents, questions(chosen.questions))
    if chosen.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:32} {value:,.4g}")


def measure(home: Path, documents: int, asked: Sequence[str]) -> dict[str, float]:
    figures = {"load_at_start": os.getloadavg()[0]}
    if not (home / "library.db").exists():
        model_id = Checkpoint.open(EMBEDDED_MODEL).model_id
        plan = Plan(documents=documents, segments=SEGMENTS, model_id=model_id, parts=PARTS, width=WIDTH)
        figures["making_seconds"] = make(home, plan)
    begun = time.perf_counter()
    qa = DocumentQA.open(home)
    figures["documents"] = len(qa.library.document_ids())
    figures["opening_ms"] = (time.perf_counter() - begun) * 1e3
    begun = time.perf_counter()
    qa.documents()
    figures["listing_ms"] = (time.perf_counter() - begun) * 1e3
    with qa:
        qa.warm_up()
        for using in Ranking:
            walls, processors = zip(*(search(qa, text, using) for text in asked), strict=True)
            figures[f"{using}_first_ms"] = walls[0]
            figures[f"{using}_median_ms"] = statistics.median(walls[1:])
            figures[f"{using}_p95_ms"] = statistics.quantiles(walls[1:], n=20)[-1]
            figures[f"{using}_p95_processor_ms"] = statistics.quantiles(processors[1:], n=20)[-1]
    figures["load_at_end"] = os.getloadavg()[0]
    return figures


def questions(count: int) -> list[str]:
    chance, words = np.random.default_rng(3), vocabulary()
    asked = []
    for _ in range(count + 1):
        ranks = np.minimum(chance.zipf(1.25, size=6) - 1, WORDS - 1)
        rare = chance.random(6) < 0.4
        ranks[rare] = chance.integers(1000, WORDS, size=int(rare.sum()))
        asked.append(" ".join(words[rank] for rank in ranks))
    return asked


def search(qa: DocumentQA, text: str, using: Ranking) -> tuple[float, float]:
    """Milliseconds by the clock, and of the processor: with OMP_NUM_THREADS=1, a busy machine's figures."""
    begun, spent = time.perf_counter(), time.process_time()
    qa.search(text, using=using)
    return (time.perf_counter() - begun) * 1e3, (time.process_time() - spent) * 1e3


if __name__ == "__main__":
    main()
