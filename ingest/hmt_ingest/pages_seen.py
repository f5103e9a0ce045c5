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
_MOST_KINDS = 5  # of what they show


@dataclass(slots=True)
class _Runs:
    """Page numbers as runs [first, last]; of those after the first runs only the count is kept."""

    runs: list[list[int]] = field(default_factory=list)
    more: int = 0

    def add(self, number: int) -> None:
        if self.runs and self.runs[-1][1] == number - 1 and not self.more:
            self.runs[-1][1] = number
        elif len(self.runs) < _MOST_RUNS:
            self.runs.append([number, number])
        else:
            self.more += 1

    @property
    def is_one(self) -> bool:
        return len(self.runs) == 1 and self.runs[0][0] == self.runs[0][1]

    def __str__(self) -> str:
        names = [f"{first}" if first == last else f"{first}-{last}" for first, last in self.runs]
        more = f" and {self.more} more" if self.more else ""
        return ("page " if self.is_one else "pages ") + ", ".join(names) + more


@dataclass(slots=True)
class PagesSeen:
    """Counts pages: how many, how many with text, and which ones show something unread, by what they show."""

    path: Path
    pages: int = 0
    with_text: int = 0
    unread: dict[str, _Runs] = field(default_factory=dict)

    def passing(self, text: SourceText) -> Iterator[Page]:
        """The pages of `text`, one at a time."""
        for page in text:
            self.pages += 1
            self.with_text += bool(page.text) and not page.text.isspace()
            if page.unread:
                known = page.unread in self.unread or len(self.unread) < _MOST_KINDS
                self.unread.setdefault(page.unread if known else "something else", _Runs()).add(page.number)
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
        found = [f"{runs} {'shows' if runs.is_one else 'show'} {what}" for what, runs in self.unread.items()]
        return f"Not read: {'; '.join(found)}." if found else ""

    def _why(self) -> str:
        return f": it looks like a scan ({self.report()[len('Not read: ') : -1]})" if self.unread else ""
