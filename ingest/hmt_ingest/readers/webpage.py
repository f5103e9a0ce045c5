"""HTML pages: the visible text, a page for each part under a heading of the first two ranks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hmt_ingest.readers.encoding import decoded_markup, require_text
from hmt_ingest.readers.parts import PartedText, content_of, parted


class HtmlReader:
    """Reads HTML and XHTML."""

    name = "html"
    suffixes = frozenset({".html", ".htm", ".xhtml"})
    libraries = ("charset_normalizer", "hmt_ingest.readers.markup")

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[PartedText]:
        """Read `path` whole; raises `FileMissing`, `EmptyFile` or `UnsupportedFile` (binary content)."""
        from hmt_ingest.readers.markup import read_markup

        content = content_of(path)
        require_text(path, content)
        read = read_markup(decoded_markup(content))
        yield parted(path, read.parts, title=read.title, media_type="text/html")
