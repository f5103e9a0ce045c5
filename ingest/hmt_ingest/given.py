"""A text that a program hands over instead of a file, paged as text files are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from hmt_ingest.readers.blocks import line_label, split_blocks
from hmt_qa.types import Page, SourceFile


@dataclass(slots=True, kw_only=True)
class GivenText:
    """A `SourceText` of a string; what UTF-8 cannot hold becomes question marks."""

    text: str
    title: str
    media_type: str
    page_count: int

    @classmethod
    def of(cls, text: str, *, title: str) -> GivenText:
        """A text that can be stored."""
        storable = text.encode("utf-8", "replace").decode("utf-8")
        pages = sum(1 for _ in split_blocks([storable]))
        return cls(text=storable, title=title, media_type="text/plain", page_count=pages)

    def __iter__(self) -> Iterator[Page]:
        """Blocks of at most 60 lines and 8,000 characters, labelled by their lines."""
        line = 1
        for number, block in enumerate(split_blocks([self.text]), 1):
            line_ends = block.count("\n")
            yield Page(number=number, label=line_label(line, line + line_ends - block.endswith("\n")), text=block)
            line += line_ends

    def source(self, *, path: str, collection: str) -> SourceFile:
        """What the library knows it by."""
        raw = self.text.encode()
        return SourceFile(path=path, collection=collection, sha256=hashlib.sha256(raw).hexdigest(), size_bytes=len(raw))
