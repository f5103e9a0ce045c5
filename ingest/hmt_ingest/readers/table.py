"""CSV and TSV as text tables, row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hmt_ingest.fingerprint import missing
from hmt_ingest.naming import shown
from hmt_ingest.readers.encoding import Encoding, encoding_of
from hmt_ingest.readers.parts import table_row
from hmt_ingest.readers.rows import Row, row_pages
from hmt_ingest.refusals import no_text
from hmt_qa.types import Page

_SAMPLE_CHARACTERS = 1 << 14
_SEPARATORS = ",;\t|"
_TABS = frozenset({".tsv", ".tab"})


class TableReader:
    """Reads tables with separated values."""

    name = "table"
    suffixes = frozenset({".csv", *_TABS})
    libraries = ("charset_normalizer",)

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[TableText]:
        """Read the file through, to learn its encoding, form and pages.

        Raises `FileMissing`, `EmptyFile` or `UnsupportedFile` (binary content).
        """
        try:
            encoding = encoding_of(path)
            form = _form(path, encoding)
            count = _count(path, encoding, form)
        except OSError as problem:
            raise missing(path, problem) from problem
        if not count:
            raise no_text(path)
        yield TableText(path=path, encoding=encoding, form=form, title=shown(Path(path.name)), page_count=count)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableText:
    """A surveyed table; `form` is None where its rows are its lines."""

    path: Path
    encoding: Encoding
    form: type[csv.Dialect] | None
    title: str
    page_count: int
    media_type: str = "text/csv"

    def __iter__(self) -> Iterator[Page]:
        """Pages of at most 60 rows."""
        for number, (label, text) in enumerate(row_pages(_rows(self.path, self.encoding, self.form)), start=1):
            yield Page(number=number, label=label, text=text)


def _count(path: Path, encoding: Encoding, form: type[csv.Dialect] | None) -> int:
    return sum(1 for _ in row_pages(_rows(path, encoding, form)))


def _rows(path: Path, encoding: Encoding, form: type[csv.Dialect] | None) -> Iterator[Row]:
    with path.open(encoding=encoding.name, errors=encoding.errors, newline="") as stream:
        rows = csv.reader(stream, form) if form else ([line] for line in stream)
        for number, cells in enumerate(rows, start=1):
            yield number, table_row(cells)


def _form(path: Path, encoding: Encoding) -> type[csv.Dialect] | None:
    """How the values are separated; None where the file breaks the rules of its form."""
    form = _likeliest_form(path, encoding)
    try:
        for _ in _rows(path, encoding, form):
            pass
    except csv.Error:  # a quote that never ends, most likely
        return None
    return form


def _likeliest_form(path: Path, encoding: Encoding) -> type[csv.Dialect]:
    if path.suffix.lower() in _TABS:
        return csv.excel_tab
    with path.open(encoding=encoding.name, errors=encoding.errors, newline="") as stream:
        sample = stream.read(_SAMPLE_CHARACTERS)
    with suppress(csv.Error):
        return csv.Sniffer().sniff(sample, _SEPARATORS)
    return csv.excel
