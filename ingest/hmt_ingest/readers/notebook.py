"""Jupyter notebooks: a page for each cell, with the text that running it printed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hmt_ingest.readers.parts import Part, PartedText, content_of, parted
from hmt_ingest.readers.titles import first_heading
from hmt_ingest.refusals import corrupt


class NotebookReader:
    """Reads notebooks of every version of the format."""

    name = "notebook"
    suffixes = frozenset({".ipynb"})
    libraries = ("nbformat", "hmt_ingest.readers.markup")

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[PartedText]:
        """Read `path` whole; raises `FileMissing`, `CorruptFile` or `EmptyFile`."""
        from nbformat import reads
        from nbformat.reader import NotJSONError

        content = content_of(path)
        try:
            with warnings.catch_warnings(action="ignore"):  # about cells without ids
                cells = reads(content.decode("utf-8-sig"), as_version=4).cells
        except (NotJSONError, UnicodeDecodeError) as problem:
            raise corrupt(path, "it is no notebook") from problem
        headings = (first_heading(_joined(cell.source)) for cell in cells if cell.cell_type == "markdown")
        title = next(filter(None, headings), "")
        yield parted(path, _parts(cells), title=title, media_type="application/x-ipynb+json")


def _parts(cells: Any) -> Iterator[Part]:
    for number, cell in enumerate(cells, start=1):
        printed = (text for output in cell.get("outputs", ()) if (text := _printed(output).strip("\n")))
        yield Part(label=f"cell {number}", text="\n\n".join([_joined(cell.source), *printed]))


def _printed(output: Any) -> str:
    """The text of what running a cell gave; pictures have none."""
    if output.output_type == "stream":
        return _joined(output.text)
    if output.output_type == "error":
        return f"{output.ename}: {output.evalue}"
    data = output.get("data", {})
    if "text/plain" not in data and "text/html" in data:
        from hmt_ingest.readers.markup import plain_text

        return plain_text(_joined(data["text/html"]))
    return _joined(data.get("text/plain", ""))


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
