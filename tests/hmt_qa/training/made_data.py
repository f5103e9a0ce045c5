"""A few kilobytes of text and questions in the form of the real data, written as .jsonl.zst."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import zstandard

PLACES = ("Harbour", "Mill", "Tower", "Bridge", "Garden", "Quarry", "Chapel", "Market")
NAMES = ("Anna", "Bela", "Cora", "Dara", "Elin", "Finn", "Gita", "Hugo")


def sentence(rng: random.Random) -> str:
    return (
        f"The {rng.choice(PLACES)} was built by {rng.choice(NAMES)} in {rng.randrange(1000, 2000)} near the old road."
    )


def text(rng: random.Random, sentences: int) -> str:
    parts = []
    for number in range(sentences):
        if number % 6 == 0:
            parts.append(f"\n\n## The {rng.choice(PLACES)} of {rng.choice(NAMES)}\n\n")
        if number % 11 == 5:
            parts.append(
                '\n\ndef build(place):\n    """Build the place and say when it was done."""\n    return place\n'
            )
        parts.append(sentence(rng) + " ")
    return "".join(parts)


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(zstandard.ZstdCompressor().compress(raw))


def questions(rng: random.Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    contexts, asked = [], []
    for article in range(4):
        for paragraph in range(5):
            ctx = f"squad_v1_train/A{article}/{paragraph}"
            place, name, year = f"{rng.choice(PLACES)}{paragraph}", rng.choice(NAMES), str(rng.randrange(1000, 2000))
            body = f"{sentence(rng)} The great {place} was finished by {name} in {year}. {sentence(rng)}"
            contexts.append({"ctx_id": ctx, "source": "squad_v1_train", "title": f"A{article}", "text": body})
            for question, answer in ((f"When was the {place} finished?", year), (f"Who finished the {place}?", name)):
                asked.append(
                    {
                        "source": "squad_v1_train",
                        "doc_id": f"A{article}",
                        "ctx_id": ctx,
                        "question": question,
                        "answers": [answer],
                        "answer_start": [body.rindex(answer, 0, body.index(f"in {year}.") + len(year) + 4)],
                        "unanswerable": False,
                    }
                )
    long = text(rng, 40)
    contexts.append({"ctx_id": "cuad/c", "source": "cuad", "title": "c", "text": long})
    start = long.index("The ", 400)
    for absent in range(12):
        asked.append(
            {"source": "cuad", "doc_id": "c", "ctx_id": "cuad/c", "question": f"Is clause {absent} there?"}
            | {"answers": ["No"], "answer_start": [-1], "unanswerable": False, "absent": True}
        )
    asked.append(
        {"source": "cuad", "doc_id": "c", "ctx_id": "cuad/c", "question": "What does it say?", "answers": ["Yes"]}
        | {"answer_start": [-1], "unanswerable": False, "evidence": [[start, start + 60]]}
    )
    return contexts, asked


def make(folder: Path) -> Path:
    rng = random.Random(0)  # noqa: S311 (test data)
    for name, count in (("shard_0", 8), ("sec_filings", 2), ("valid", 4)):
        rows = [{"source": "made", "path": str(number), "text": text(rng, 60)} for number in range(count)]
        write(folder / "corpus" / f"{name}.jsonl.zst", rows)
    contexts, asked = questions(rng)
    write(folder / "qa" / "qa_contexts.jsonl.zst", contexts)
    write(folder / "qa" / "qa_train.jsonl.zst", asked)
    return folder
