"""The example document: some chapters of Python's own reference, written here and now, so nothing is downloaded."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hmt_ui.reference.pdf import write_reference_pdf
from hmt_ui.service.inbox import Accepted, Inbox

QUESTION = "What does the function bisect_right return?"
_NAME = "python-reference-example.pdf"
_MODULES = ("bisect", "heapq", "shutil", "textwrap")


def add(inbox: Inbox, *, collection: str) -> Accepted:
    """Put the example in line as if it had been uploaded; raises `TooManyWaiting`."""
    with tempfile.TemporaryDirectory(prefix="hmt-qa-example-") as folder:
        written = Path(folder) / _NAME
        write_reference_pdf(written, modules=_MODULES)
        return inbox.accept(written, collection=collection)
