"""Measures the whole path on this machine: reading, memory use, resuming, the first answer token.

    python benchmarks/spine.py [--quick] [--json FILE]

Documents are the standard library's own sources cut to a number of tokens. Each ingestion is a process of its own,
so that its peak memory is its own; questions to documents of different lengths alternate in one process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

from hmt_qa import DocumentQA
from hmt_qa.app import EMBEDDED_MODEL
from hmt_qa.engine import LocalEngine
from hmt_qa.types import Mode, Timings

QUESTIONS = (
    "What happens when the pool is closed?",
    "How is the default encoding chosen?",
    "Which exception is raised for a missing key?",
    "What does the parser do with comments?",
    "When is the temporary file removed?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One ingestion in a process of its own. `peak_rss_mb` is the whole process's, libraries and weights included."""

    tokens: int
    dtype: str
    seconds: float
    tokens_per_second: float
    peak_rss_mb: float


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the lengths, to try the script")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    scale = 10 if arguments.quick else 1
    short, middle, long = (count // scale for count in (20_000, 100_000, 400_000))
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        paths = {count: write_document(home / f"{count}.txt", count) for count in (short, middle, long)}
        readings = [
            ingest(home / "f32", paths[middle], dtype="float32"),
            *(ingest(home / "auto", paths[count], dtype="auto") for count in (short, middle, long)),
        ]
        for reading in readings:
            print(
                f"read {reading.tokens:,} tokens in {reading.dtype}: {reading.seconds:.1f} s, "
                f"{reading.tokens_per_second:,.0f} tokens/s, peak RSS {reading.peak_rss_mb:.0f} MB"
            )
        growth = readings[3].peak_rss_mb / readings[1].peak_rss_mb
        print(f"peak RSS, {long:,} over {short:,} tokens: {growth:.3f}")
        asked = ask(home / "auto")
    for tokens, timings in asked.items():
        print(
            f"ask {tokens:,} tokens (median of {2 * len(QUESTIONS)}): resume {timings.resume:.1f} ms from disk, "
            f"recall {timings.recall:.0f} ms, first token {timings.first_token:.0f} ms"
        )
    first = [timings.first_token for timings in asked.values()]
    print(f"first token, longest over shortest document: {first[-1] / first[0]:.3f}")
    if arguments.json:
        figures = {
            "machine": machine(),
            "readings": [asdict(reading) for reading in readings],
            "asked": {tokens: asdict(timings) for tokens, timings in asked.items()},
        }
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def machine() -> str:
    """Processor, cores, load and versions, in one line."""
    import torch

    from hmt_qa.model.machine import cpu_name

    load = os.getloadavg()[0]
    return f"{cpu_name()}, load {load:.1f}, Python {platform.python_version()}, torch {torch.__version__}"


def write_document(path: Path, tokens: int) -> Path:
    """A text of (nearly) this many tokens from the standard library's sources."""
    engine, written = LocalEngine(EMBEDDED_MODEL), 0
    with path.open("w", encoding="utf-8") as file:
        for source in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
            if "site-packages" in source.parts or "test" in source.parts:
                continue
            for paragraph in source.read_text(encoding="utf-8", errors="ignore").split("\n\n"):
                written += len(engine.encode(paragraph + "\n\n").ids)
                if written > tokens:
                    return path
                file.write(paragraph + "\n\n")
    return path


def ingest(home: Path, path: Path, *, dtype: str) -> Reading:
    """Read one document by the command line, as a user would, and take time and peak memory."""
    command = [sys.executable, "-m", "hmt_ui", "ingest", str(path), "--home", str(home), "--dtype", dtype, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        output = cast(IO[str], process.stdout).read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    record: dict[str, Any] = json.loads(output)
    return Reading(
        tokens=record["tokens"],
        dtype=dtype,
        seconds=record["seconds"],
        tokens_per_second=record["tokens"] / record["seconds"],
        peak_rss_mb=usage.ru_maxrss / 1024,
    )


def ask(home: Path) -> dict[int, Timings]:
    """Median timings by document length; documents alternate, and each memory is read from disk each time."""
    seen: dict[int, list[Timings]] = {}
    with DocumentQA.open(home) as qa:
        qa.warm_up()
        qa.ask(QUESTIONS[0])  # the first answer also compiles and fills caches
        for question in QUESTIONS * 2:
            for document in sorted(qa.documents(), key=lambda document: document.tokens):
                qa.forget_cached()
                answer = qa.ask(question, documents=[document.id], mode=Mode.EVIDENCE)
                seen.setdefault(document.tokens, []).append(answer.timings_ms)
    return {tokens: _median(timings) for tokens, timings in seen.items()}


def _median(timings: list[Timings]) -> Timings:
    fields = ("resume", "recall", "first_token", "total")
    return Timings(**{name: statistics.median(getattr(timing, name) for timing in timings) for name in fields})


if __name__ == "__main__":
    main()
