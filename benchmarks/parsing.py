"""Measures what parsing in a child process costs: pages per second of PDFs, milliseconds of a small file.

    python benchmarks/parsing.py [FOLDER]     its PDFs; without it, one that is drawn here

Reading in this process, in a child of the fork server, and in an interpreter started for each file alternate, so that
a busy machine slows all of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

from hmt_ingest.registry import installed_readers
from hmt_ingest.sandbox.opening import Sandbox
from hmt_qa.types import ParsingLimits

ROUNDS = 3
SMALL_FILES = 100
INTERPRETERS = 10
ALONE = (
    "import sys; from pathlib import Path; from hmt_ingest.readers.{module} import {reader} as Reader\n"
    "with Reader().open(Path(sys.argv[1])) as text: print(sum(1 for _ in text))"
)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", help="whose PDFs are read")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        pdfs = sorted(arguments.folder.glob("*.pdf")) if arguments.folder else [draw(Path(made) / "drawn.pdf", 300)]
        small = [write(Path(made) / f"{number}.txt") for number in range(SMALL_FILES)]
        sandbox = Sandbox()
        read_in_a_child(sandbox)(small[0])
        ways = {"in this process": read_here, "in a child": read_in_a_child(sandbox)}
        for name, (pages, seconds) in measured(ways, pdfs).items():
            print(f"{len(pdfs)} PDFs {name}: {pages} pages in {seconds:.1f} s, {pages / seconds:.0f} pages/s")
        for name, (_, seconds) in measured(ways, small).items():
            print(f"{len(small)} small files {name}: {1000 * seconds / len(small):.1f} ms a file")
        some = small[:INTERPRETERS]
        seconds = best(lambda path: read_alone(path, "text", "TextReader"), some)[1]
        print(f"{len(some)} small files, an interpreter for each: {1000 * seconds / len(some):.0f} ms a file")
        seconds = best(lambda path: read_alone(path, "pdf", "PdfReader"), [draw(Path(made) / "one.pdf", 1)])[1]
        print(f"a PDF of one page, an interpreter for it: {1000 * seconds:.0f} ms")
        sandbox.close()


Read = Callable[[Path], int]


def measured(ways: dict[str, Read], paths: list[Path]) -> dict[str, tuple[int, float]]:
    """Pages, and seconds of the best of some rounds, by way."""
    rounds = [{name: once(read, paths) for name, read in ways.items()} for _ in range(ROUNDS)]
    return {name: min((each[name] for each in rounds), key=lambda result: result[1]) for name in ways}


def best(read: Read, paths: list[Path]) -> tuple[int, float]:
    """Pages, and seconds of the best of some rounds."""
    return min((once(read, paths) for _ in range(ROUNDS)), key=lambda result: result[1])


def once(read: Read, paths: list[Path]) -> tuple[int, float]:
    """Pages, and seconds of one round."""
    started = time.perf_counter()
    return sum(map(read, paths)), time.perf_counter() - started


def read_here(path: Path) -> int:
    """Pages of a file, read in this process."""
    with installed_readers().reader_for(path).open(path) as text:
        return sum(1 for _ in text)


def read_in_a_child(sandbox: Sandbox) -> Read:
    """Pages of a file, read by a child."""

    def read(path: Path) -> int:
        with sandbox.open(installed_readers().reader_for(path), path, limits=ParsingLimits()) as text:
            return sum(1 for _ in text)

    return read


def read_alone(path: Path, module: str, reader: str) -> int:
    """Pages of a file, read by an interpreter of its own."""
    code = ALONE.format(module=module, reader=reader)
    return int(subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=True).stdout)


def draw(path: Path, pages: int) -> Path:
    """A PDF of this many pages of 40 lines."""
    canvas = Canvas(str(path))
    for page in range(pages):
        for line in range(40):
            canvas.drawString(50, 780 - 18 * line, f"Line {line} of page {page} tells of {page * line} owls.")
        canvas.showPage()
    canvas.save()
    return path


def write(path: Path) -> Path:
    """A text of about a kilobyte."""
    path.write_text(f"A small file named {path.name}, one of many.\n" * 25, encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
