"""Excel files as text tables: the sheets one after the other, row by row."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hmt_ingest.naming import shown
from hmt_ingest.readers.archives import archive
from hmt_ingest.readers.parts import table_row
from hmt_ingest.readers.rows import Row, row_pages
from hmt_ingest.readers.titles import sensible_title
from hmt_ingest.refusals import no_text
from hmt_qa.types import Page

if TYPE_CHECKING:
    from openpyxl import Workbook


class XlsxReader:
    """Reads Excel files of 2007 and later."""

    name = "xlsx"
    suffixes = frozenset({".xlsx", ".xlsm", ".xltx"})
    libraries = ("openpyxl",)

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[XlsxText]:
        """Read the file through.

        Raises `FileMissing`, `EncryptedFile`, `CorruptFile`, `EmptyFile` or `ParsingStopped`.
        """
        with (
            archive(path, "Excel file"),
            _workbook(path, values=True) as values,
            _workbook(path, values=False) as formulas,
        ):
            title = sensible_title(values.properties.title or "", shown(Path(path.stem)))
            text = XlsxText(title=title, values=values, formulas=formulas)
            text.page_count = sum(1 for _ in text.sheets())
            if not text.page_count:
                raise no_text(path)
            yield text


@dataclass(slots=True, kw_only=True)
class XlsxText:
    """An opened workbook, as last calculated and as written: a formula that was never calculated is shown itself."""

    title: str
    values: Workbook
    formulas: Workbook
    page_count: int = 0
    media_type: str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def __iter__(self) -> Iterator[Page]:
        """Pages of at most 60 rows, none with rows of two sheets."""
        for number, (label, text) in enumerate(self.sheets(), start=1):
            yield Page(number=number, label=label, text=text)

    def sheets(self) -> Iterator[tuple[str, str]]:
        """Label and text of each page."""
        for sheet, written in zip(self.values.worksheets, self.formulas.worksheets, strict=True):
            for label, text in row_pages(_rows(sheet, written)):
                yield f"{sheet.title}, {label}", text


@contextmanager
def _workbook(path: Path, *, values: bool) -> Iterator[Workbook]:
    from openpyxl import load_workbook

    with warnings.catch_warnings(action="ignore"):  # about what it leaves out, such as styles
        workbook = load_workbook(path, read_only=True, data_only=values, keep_links=False)
    try:
        yield workbook
    finally:
        workbook.close()


def _rows(sheet: Any, written: Any) -> Iterator[Row]:
    sheet.reset_dimensions()  # what a file says of its size need not be true
    written.reset_dimensions()
    for number, (cells, sources) in enumerate(zip(sheet.iter_rows(), written.iter_rows(), strict=True), start=1):
        yield number, table_row(_shown(cell, source) for cell, source in zip(cells, sources, strict=True))


def _shown(cell: Any, source: Any) -> str:
    value = cell.value if cell.value is not None else source.value
    match value:
        case None:
            text = ""
        case bool():
            text = str(value).upper()
        case float() | int() if "%" in (cell.number_format or ""):
            text = f"{value * 100:.10g}%"
        case float():
            text = f"{value:.15g}"
        case datetime.datetime() if value.time() == datetime.time():
            text = value.date().isoformat()
        case _:
            text = str(value)
    return text
