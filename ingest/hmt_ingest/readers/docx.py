"""Word files: paragraphs and tables in their order, paged as Word last laid them out where it noted that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hmt_ingest.readers.archives import archive, parse_xml
from hmt_ingest.readers.parts import Part, PartedText, parted, table_row

if TYPE_CHECKING:
    from docx.document import Document
    from lxml.etree import _Element

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PARAGRAPH, _TABLE, _ROW, _CELL = f"{_W}p", f"{_W}tbl", f"{_W}tr", f"{_W}tc"
_BREAK, _LAID_OUT = f"{_W}br", f"{_W}lastRenderedPageBreak"
_PICTURES = ("{http://schemas.openxmlformats.org/drawingml/2006/main}blip", "{urn:schemas-microsoft-com:vml}imagedata")
_SPELT = {f"{_W}tab": "\t", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
# What is not, or no longer, part of the text; of alternatives the first choice is shown.
_LEFT_OUT = frozenset(
    (f"{_W}del", f"{_W}moveFrom", f"{_W}instrText", f"{_W}pPr", f"{_W}rPr",
     "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback")
)  # fmt: skip
_NOTES = ("footnotes", "endnotes", "comments")
_RANKS = ("heading 1", "heading 2", "title")
# Marks in the text while it is put together; XML knows no such characters.
_PAGE, _HEADING, _PICTURE = "\x0c", "\x0e", "\x0f"


class DocxReader:
    """Reads Word files of 2007 and later."""

    name = "docx"
    suffixes = frozenset({".docx", ".docm", ".dotx"})
    libraries = ("docx",)

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[PartedText]:
        """Read `path` whole; raises `FileMissing`, `EncryptedFile`, `CorruptFile`, `EmptyFile` or `ParsingStopped`."""
        import docx

        with archive(path, "Word file"):
            document = docx.Document(str(path))
        yield parted(
            path,
            _parts(document),
            title=document.core_properties.title or "",
            media_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        )


def _parts(document: Document) -> Iterator[Part]:
    """Pages where Word noted or was told where they end, else what stands under a heading; then the notes."""
    styles = {style.style_id: (style.name or "").lower() for style in document.styles}
    body = document.element.body
    laid_out = next(body.iter(_LAID_OUT), None) is not None
    text = "".join(_Text(laid_out=laid_out, styles=styles).of(body))
    if _PAGE in text:
        for number, page in enumerate(text.replace(_HEADING, "").split(_PAGE), start=1):
            yield replace(_part(str(number), page), page=True)
    else:
        preface, *sections = text.split(_HEADING)
        yield _part("", preface)
        for section in sections:
            yield _part(section.partition("\n")[0], section)
    for relation in document.part.rels.values():
        kind = relation.reltype.rpartition("/")[2]
        if kind in _NOTES and not relation.is_external:
            notes = parse_xml(relation.target_part.blob)
            yield _part(kind, "".join(_Text(laid_out=True, styles={}).of(notes)))


def _part(label: str, text: str) -> Part:
    shown = text.replace(_PICTURE, "")
    return Part(label=label, text=shown, unread="a picture" if _PICTURE in text and not shown.strip() else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """Turns elements into text. Only where no page was `laid_out` do the author's own page breaks count."""

    laid_out: bool
    styles: Mapping[str, str]

    def of(self, element: _Element) -> Iterator[str]:
        """The text of an element's paragraphs and tables, each on lines of its own."""
        for child in element:
            if child.tag == _PARAGRAPH:
                yield _HEADING if self._style(child) in _RANKS else ""
                yield "".join(self._inline(child)) + "\n"
            elif child.tag == _TABLE:
                yield from self._table(child)
            elif child.tag not in _LEFT_OUT:
                yield from self.of(child)

    def _table(self, table: _Element) -> Iterator[str]:
        for row in table.iter(_ROW):
            cells = ["".join(self.of(cell)).replace(_HEADING, "") for cell in row.iterchildren(_CELL)]
            yield _PAGE * max((cell.count(_PAGE) for cell in cells), default=0)
            yield table_row(cells) + "\n"

    def _inline(self, element: _Element) -> Iterator[str]:
        for child in element:
            if child.tag == f"{_W}t":
                yield child.text or ""
            elif child.tag in _SPELT:
                yield _SPELT[child.tag]
            elif child.tag in _PICTURES:
                yield _PICTURE
            elif child.tag == _LAID_OUT or (child.tag == _BREAK and child.get(f"{_W}type") == "page"):
                yield _PAGE if (child.tag == _LAID_OUT) == self.laid_out else ""
            elif child.tag == _BREAK:
                yield "\n"
            elif child.tag == _PARAGRAPH:  # of a text box
                yield from ("\n", *self._inline(child), "\n")
            elif child.tag not in _LEFT_OUT:
                yield from self._inline(child)

    def _style(self, paragraph: _Element) -> str:
        style = paragraph.find(f"{_W}pPr/{_W}pStyle")
        return self.styles.get(style.get(f"{_W}val", ""), "") if style is not None else ""
