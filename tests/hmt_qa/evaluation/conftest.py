"""A folder in the layout of the data, small enough to be read whole by a tiny model."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import zstandard
from reportlab.pdfgen.canvas import Canvas

from hmt_qa.evaluation.options import Options

WORDS = (
    "river stone lantern market silver garden winter bridge letter harbour engine forest music planet copper".split()
)


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = io.BytesIO()
    raw.write("".join(json.dumps(row) + "\n" for row in rows).encode())
    path.write_bytes(zstandard.ZstdCompressor().compress(raw.getvalue()))


def write_set(folder: Path, name: str, contexts: int, chance: random.Random) -> None:
    texts, asked = [], []
    for number in range(contexts):
        before, after = (" ".join(chance.choices(WORDS, k=chance.randint(5, 40))) for _ in range(2))
        answer = f"{chance.choice(WORDS)} {chance.randint(1000, 9999)}"
        text = f"{before}. The code of vault {number} is {answer}. {after}"
        place = f"{name}/{number}"
        texts.append({"ctx_id": place, "source": name, "title": f"Vault {number}", "text": text})
        row = {"source": name, "doc_id": place, "title": "", "ctx_id": place, "unanswerable": False}
        question = f"What is the code of vault {number}?"
        asked.append(row | {"question": question, "answers": [answer], "answer_start": [text.index(answer)]})
    write_lines(folder / name / "contexts.jsonl.zst", texts)
    write_lines(folder / name / "qa.jsonl.zst", asked)


def write_report(folder: Path) -> None:
    """A PDF of four pages, of which the third holds what is asked."""
    (folder / "pdfs").mkdir(parents=True)
    paper = Canvas(str(folder / "pdfs" / "report.pdf"))
    for number in range(1, 5):
        paper.drawString(
            72, 700, f"Page {number} is about the {WORDS[number]} and the {WORDS[number + 4]} of the year."
        )
        paper.showPage()
    paper.save()
    row = {"document": "report.pdf", "question": f"What of the {WORDS[7]}?", "answers": ["x"], "evidence_pages": [3]}
    (folder / "qa.jsonl").write_text(json.dumps(row) + "\n")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets, one of which is asked in documents of its own, and three long documents of unlike length."""
    chance = random.Random(5)  # noqa: S311 (test data)
    folder = tmp_path_factory.mktemp("data")
    write_set(folder / "dev", "squad_v1_dev", 14, chance)
    write_set(folder / "dev", "cuad_heldout", 4, chance)
    write_report(folder / "dev" / "annual_reports")
    long = [{"source": "x", "path": str(n), "text": " ".join(chance.choices(WORDS, k=n))} for n in (60, 130, 90)]
    write_lines(folder / "corpus" / "long_valid.jsonl.zst", long)
    return folder


@pytest.fixture
def options(data: Path, checkpoint: Path, tmp_path: Path) -> Options:
    """Everything there is, at two lengths, without the baseline encoder."""
    return Options(
        data=data, model=checkpoint, limit=0, lengths=(60, 300), device="cpu", dtype="float32", minilm=tmp_path
    )
