"""Measures whether memory use grows with a document: peak RSS of reading it, by the command line.

    python benchmarks/memory_use.py [--tokens 100000 5000000]

With a tiny random model, because the one in the package takes hours for millions of tokens: a larger one adds its
weights and its batch, whatever the length. Each document is read by a process of its own; the peak is the largest
of that process and those it started, parsers included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tiny_model import save_tiny_model

from hmt_qa.app import EMBEDDED_MODEL
from hmt_qa.engine import LocalEngine

MEASURE = (
    "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)"
)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, nargs="+", default=[100_000, 5_000_000])
    arguments = parser.parse_args()
    peaks = []
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        model = save_tiny_model(place / "model")
        for tokens in arguments.tokens:
            path = write_document(place / f"{tokens}.txt", tokens)
            began = time.perf_counter()
            read, peak_mb = ingest(path, place / f"home-{tokens}", model)
            seconds = time.perf_counter() - began
            size = sum(file.stat().st_size for file in (place / f"home-{tokens}").iterdir())
            peaks.append(peak_mb)
            print(
                f"{read:,} tokens: peak RSS {peak_mb:.0f} MB, {seconds:.0f} s, {read / seconds:,.0f} tokens/s, "
                f"library {size / 1e6:.0f} MB",
                flush=True,
            )
    print(f"peak RSS, longest over shortest: {peaks[-1] / peaks[0]:.3f}")


def ingest(path: Path, home: Path, model: Path) -> tuple[int, float]:
    """(tokens, peak RSS in MB) of reading `path` in a process of its own; the larger of it and its children counts."""
    command = [sys.executable, "-c", MEASURE, sys.executable, "-m", "hmt_ui", "ingest", str(path)]
    done = subprocess.run(
        [*command, "--home", str(home), "--model", str(model), "--dtype", "float32", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    return int(json.loads(done.stdout)["tokens"]), int(done.stderr.split()[-1]) / 1024


def write_document(path: Path, tokens: int) -> Path:
    """A text of (nearly) this many tokens; every line is another one."""
    engine, line = LocalEngine(EMBEDDED_MODEL), "Entry {0}: ship {1} of the harbour brought {2} barrels on day {3}.\n"
    sample = "".join(line.format(number, number % 977, number * 7 % 8191, number % 365) for number in range(10_000))
    lines = round(10_000 * tokens / len(engine.encode(sample).ids))
    with path.open("w", encoding="utf-8") as file:
        for number in range(lines):
            file.write(line.format(number, number % 977, number * 7 % 8191, number % 365))
    return path


if __name__ == "__main__":
    main()
