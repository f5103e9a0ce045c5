"""What the pages of a file showed, counted as they pass: text, nothing, or something that could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hmt_ingest.naming import shown
from hmt_qa.errors import NoTextFound
from hmt_qa.ports import SourceText
from hmt_qa.types import Page

_MOST_RUNS = 20  # of pages that are named


@dataclass(slots=True)
class PagesSeen:
    """Counts pages: how many, how many with text, and which ones show something unread, as runs [first, last]."""

    path: Path
    pages: int = 0
    with_text: int = 0
    unread: dict[str, list[list[int]]] = field(default_factory=dict)

    def passing(self, text: SourceText) -> Iterator[Page]:
        """The pages of `text`, one at a time."""
        for page in text:
            self.pages += 1
            self.with_text += bool(page.text) and not page.text.isspace()
            if page.unread:
                self._note(page)
            yield page

    def require_text(self) -> None:
        """Raise `NoTextFound` when no page showed any text."""
        if not self.with_text:
            count = "1 page" if self.pages == 1 else f"{self.pages} pages"
            raise NoTextFound(
                f"{shown(self.path)} has {count} and no text{self._why()}.",
                subject=shown(self.path),
                remedy="For scans, install text recognition: pip install 'hmt-qa[ocr]' and Debian's tesseract-ocr-eng."
                if self.unread
                else "Give a file with text in it.",
            )

    def report(self) -> str:
        """Which pages show something that could not be read, in a sentence; empty where there is none."""
        found = [f"{_named(runs)} {'shows' if _one(runs) else 'show'} {what}" for what, runs in self.unread.items()]
        return f"Not read: {'; '.join(found)}." if found else ""

    def _why(self) -> str:
        return f": it looks like a scan ({self.report()[len('Not read: ') : -1]})" if self.unread else ""

    def _note(self, page: Page) -> None:
        runs = self.unread.setdefault(page.unread, [])
        if runs and runs[-1][1] == page.number - 1:
            runs[-1][1] = page.number
        else:
            runs.append([page.number, page.number])


def _one(runs: list[list[int]]) -> bool:
    return len(runs) == 1 and runs[0][0] == runs[0][1]


def _named(runs: list[list[int]]) -> str:
    names = [f"{first}" if first == last else f"{first}-{last}" for first, last in runs[:_MOST_RUNS]]
    more = sum(last - first + 1 for first, last in runs[_MOST_RUNS:])
    return ("page " if _one(runs) else "pages ") + ", ".join(names) + (f" and {more} more" if more else "")
