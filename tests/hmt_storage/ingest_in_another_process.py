"""Run by tests: ingest a file in a process of its own, say how far it is, and wait to be killed or told to go on.

Usage: ingest_in_another_process.py HOME SEGMENTS [URL]  (commits SEGMENTS segments, prints `committed`, then waits)
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest import make_sample

from hmt_storage.library import SqlLibrary

TEXT = "".join(f"Line {number} of the log.\n" for number in range(40))

if __name__ == "__main__":
    written = make_sample(TEXT, length=30)
    ingestion = written.begin(SqlLibrary.open(Path(sys.argv[1]), url=(sys.argv[3:] or [None])[0]))
    written.commit(ingestion, written.segments[: int(sys.argv[2])])
    sys.stdout.write("committed\n")
    sys.stdout.flush()
    sys.stdin.readline()
