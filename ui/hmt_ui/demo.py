"""The main job from end to end, offline: write a long PDF, read it into memory, ask four questions of it."""

from __future__ import annotations

import sys
import time

from hmt_qa.errors import HmtQaError
from hmt_qa.types import IngestStatus, Mode
from hmt_ui import printing
from hmt_ui.compose import open_qa
from hmt_ui.progress import IngestProgress
from hmt_ui.reference.pdf import write_reference_pdf
from hmt_ui.settings import Settings

QUESTIONS = (
    ("What does the function bisect_right return?", Mode.EVIDENCE),
    ("What does shutil.copytree do with symbolic links?", Mode.EVIDENCE),
    ("Which class is a subclass of dict for counting hashable items?", Mode.EVIDENCE),
    ("What is the heapq module for?", Mode.MEMORY),
)


def run(settings: Settings) -> None:
    """Run the demonstration in the settings' home and print each answer with its sources and timings."""
    settings.home.mkdir(parents=True, exist_ok=True)
    path = settings.home / "python-standard-library.pdf"
    begun = time.perf_counter()
    summary = write_reference_pdf(path)
    print(f"Wrote {path}: {summary.pages} pages, {summary.characters:,} characters ({_since(begun)}).")
    with open_qa(settings) as qa:
        for document in qa.documents():
            qa.remove(document.id)  # every run shows the reading; a run that was cut goes on
        with IngestProgress() as bar:
            for result in qa.ingest([path], on_progress=bar.show):
                bar.end(result.path)
                printing.ingested(result, as_json=False)
                if result.status is IngestStatus.FAILED:
                    raise HmtQaError("The demonstration stopped.", subject=path, remedy="Mend what is named above.")
        for question, mode in QUESTIONS:
            print(f"\nQ ({mode}): {question}\nA: ", end="", flush=True)
            printing.answered(qa.stream(question, mode=mode), as_json=False)
    print(f"\nAll of it took {_since(begun)}. Ask more: hmt-qa ask --home {settings.home} 'YOUR QUESTION'")
    sys.stdout.flush()


def _since(begun: float) -> str:
    return f"{time.perf_counter() - begun:.1f} s"
