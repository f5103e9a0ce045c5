"""Measures what finding a folder unchanged costs by the command line, everything included.

    python benchmarks/unchanged.py [--files 1000] [--kilobytes 1]

The files are read once with a tiny random model; which model it was does not matter afterwards. Measured with stamps
that can be trusted (docs/decisions/0013), and with files that were touched, so that each of them is hashed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tiny_model import save_tiny_model

ROUNDS = 5
FLOOR = "import sys; from hmt_ui.cli import main; sys.argv = ['hmt-qa', 'ls', '--home', sys.argv[1]]; main()"


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--kilobytes", type=int, default=1, help="size of each")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        model = save_tiny_model(place / "model")
        folder = write_files(place / "files", arguments.files, arguments.kilobytes * 1_000)
        command = [sys.executable, "-m", "hmt_ui", "ingest", str(folder), "--home", str(place / "home")]
        command += ["--model", str(model), "--json"]
        seconds, statuses = timed(command)
        print(f"{arguments.files:,} files of {arguments.kilobytes} kB, first read: {seconds:.1f} s {statuses}")
        timed(command)
        stamped = [timed(command)[0] for _ in range(ROUNDS)]
        print(f"unchanged, stamps trusted: {statistics.median(stamped):.2f} s (of {ROUNDS}, {timed(command)[1]})")
        hashed = []
        for _ in range(ROUNDS):
            for path in folder.iterdir():
                os.utime(path)
            hashed.append(timed(command)[0])
        print(f"unchanged, each hashed: {statistics.median(hashed):.2f} s")
        floor = [timed([sys.executable, "-c", FLOOR, str(place / "empty")])[0] for _ in range(ROUNDS)]
        print(f"of which starting the program and opening a library: {statistics.median(floor):.2f} s")


def timed(command: list[str]) -> tuple[float, str]:
    """Seconds of wall time, and how many lines spoke of which status."""
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - began
    counts = {status: done.stdout.count(f'"status": "{status}"') for status in ("ingested", "unchanged", "failed")}
    return seconds, ", ".join(f"{count} {status}" for status, count in counts.items() if count)


def write_files(folder: Path, count: int, size: int) -> Path:
    """Text files that differ in their numbers."""
    folder.mkdir()
    for number in range(count):
        words = f"File {number} says that ship {number} brought {number * 7} barrels of oil to the harbour.\n"
        (folder / f"{number}.txt").write_text((words * (size // len(words) + 1))[:size])
    return folder


if __name__ == "__main__":
    main()
