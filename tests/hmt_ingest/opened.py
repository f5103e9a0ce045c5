"""Opens a file with a reader in this very process and checks what holds for every format."""

from __future__ import annotations

from pathlib import Path

from hmt_ingest.registry import installed_readers
from hmt_qa.ports import SourceText
from hmt_qa.types import Page


def read(path: Path) -> tuple[SourceText, list[Page]]:
    """The opened file and its pages, by the reader that its name chooses; it reads the same twice."""
    with installed_readers().reader_for(path).open(path) as source:
        pages = list(source)
        assert list(source) == pages
        assert source.page_count == len(pages)
        assert source.title
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    assert all(page.label for page in pages)
    assert all(not page.unread or not page.text for page in pages)
    return source, pages


def texts(path: Path) -> list[tuple[str, str]]:
    """Label and text of each page."""
    return [(page.label, page.text) for page in read(path)[1]]
