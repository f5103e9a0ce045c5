"""PowerPoint files: a page for each slide, with its tables, charts, diagrams and the speaker's notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hmt_ingest.readers.archives import archive, parse_xml
from hmt_ingest.readers.parts import Part, PartedText, parted, table_row

if TYPE_CHECKING:
    from pptx.slide import Slide

_DIAGRAM = "/diagramData"
_RUN = "{http://schemas.openxmlformats.org/drawingml/2006/main}t"


class PptxReader:
    """Reads PowerPoint files of 2007 and later."""

    name = "pptx"
    suffixes = frozenset({".pptx", ".pptm", ".ppsx"})
    libraries = ("pptx",)

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[PartedText]:
        """Read `path` whole; raises `FileMissing`, `EncryptedFile`, `CorruptFile`, `EmptyFile` or `ParsingStopped`."""
        from pptx import Presentation

        with archive(path, "PowerPoint file"):
            presentation = Presentation(str(path))
        yield parted(
            path,
            (_part(number, slide) for number, slide in enumerate(presentation.slides, start=1)),
            title=presentation.core_properties.title or "",
            media_type="application/vnd.openxmlformats-officedocument.presentationml.presentation",
        )


def _part(number: int, slide: Slide) -> Part:
    text = "\n".join(filter(None, (*_texts(slide.shapes), *_diagrams(slide))))
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None and frame.text.strip():
        text += f"\n\nNotes: {frame.text}"
    unread = "a picture" if any(hasattr(shape, "image") for shape in slide.shapes) else ""
    return Part(label=f"slide {number}", text=text.replace("\v", "\n"), unread=unread, page=True)


def _texts(shapes: Iterable[Any]) -> Iterator[str]:
    """What the shapes say, one after the other as they lie on the slide, groups taken apart."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _texts(shape.shapes)
        elif getattr(shape, "has_table", False):
            yield "\n".join(table_row(cell.text for cell in row.cells) for row in shape.table.rows)
        elif getattr(shape, "has_chart", False):
            yield from _chart(shape.chart)
        elif shape.has_text_frame:
            yield shape.text_frame.text.strip()


def _chart(chart: Any) -> Iterator[str]:
    """Title, then a row for each series under a row of categories."""
    if chart.has_title and chart.chart_title.has_text_frame:
        yield chart.chart_title.text_frame.text
    for plot in chart.plots:
        yield table_row(["", *map(str, plot.categories)])
        for series in plot.series:
            values = ("" if value is None else f"{value:g}" for value in series.values)
            yield table_row([series.name, *values])


def _diagrams(slide: Slide) -> Iterator[str]:
    """The texts of SmartArt, which stand in files of their own."""
    for relation in slide.part.rels.values():
        if relation.reltype.endswith(_DIAGRAM) and not relation.is_external:
            yield "\n".join(run.text or "" for run in parse_xml(relation.target_part.blob).iter(_RUN))
