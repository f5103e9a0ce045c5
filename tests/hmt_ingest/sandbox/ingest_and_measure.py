"""Ingests files one after the other and prints, for each, what became of it and how far this process's memory rose.

    python tests/hmt_ingest/sandbox/ingest_and_measure.py SECONDS FILE...     JSON Lines on stdout

The model is made of hashes, so that what grows is ingestion. The peak is reset before each file where /proc allows it.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path

from hmt_ingest.pipeline import FileIngestor
from hmt_qa.types import IngestOptions, ParsingLimits
from tests.hmt_ingest.fakes import FakeLibrary, HashEngine


def memory(name: str) -> int:
    """`VmRSS` or its peak `VmHWM` of this process, bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii").split(f"{name}:")[1]
    return int(status.split()[0]) * 1024


def main() -> None:
    """See the module's docstring."""
    options = IngestOptions(limits=ParsingLimits(page_seconds=int(sys.argv[1])))
    for name in sys.argv[2:]:
        library = FakeLibrary()
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before, started = memory("VmRSS"), time.perf_counter()
        ingest = FileIngestor().ingest(
            [Path(name)], options=options, library=library, engine=HashEngine(256), on_progress=lambda job: None
        )
        for result in ingest:
            print(
                json.dumps(
                    {
                        "name": Path(name).name,
                        "status": result.status,
                        "error": result.error,
                        "characters": sum(document.characters for document in library.stored.values()),
                        "grown": memory("VmHWM") - before,
                        "seconds": round(time.perf_counter() - started, 2),
                        "left": len(library.pending) + len(library.owned),
                    }
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
