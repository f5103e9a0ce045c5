"""Pictures of pages with a citation highlighted, the last few of them kept."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import file_digest
from pathlib import Path
from threading import BoundedSemaphore, Lock

from hmt_ingest.picturing import Order, picture
from hmt_qa import DocumentQA
from hmt_qa.errors import NoPicture, UnknownPage
from hmt_qa.types import Document

KEPT = 64
AT_ONCE = 2
Boxes = list[tuple[float, float, float, float]]


class Pictures:
    """Draws pages; safe to share between threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._same: dict[tuple[str, int, int], str] = {}  # path, size, time of change: sha256
        self._lock = Lock()
        self._turns = BoundedSemaphore(AT_ONCE)

    def page(self, qa: DocumentQA, document_id: str, number: int, *, marked: tuple[int, int] = (0, 0)) -> bytes:
        """One page as PNG, the document's characters [start, end) of `marked` highlighted.

        Raises `UnknownDocument`, `UnknownPage`, and `NoPicture` for what is no PDF, or not the file that was read.
        """
        document = qa.document(document_id)
        if not 1 <= number <= document.pages:
            raise UnknownPage(f"There is no page {number}.", subject=number, remedy=f"Pages are 1 to {document.pages}.")
        self._require_same_file(document)
        key = (document.path, document.sha256, number, marked)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        with self._turns:
            drawn = picture(Order(path=document.path, page=number, marked=_boxes(qa, document.id, number, marked)))
        with self._lock:
            self._kept[key] = drawn
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return drawn

    def _require_same_file(self, document: Document) -> None:
        file = Path(document.path)
        if document.media_type == "application/pdf" and file.is_file() and self._sha256(file) == document.sha256:
            return
        raise NoPicture(
            f"{document.title} has no picture of its pages here.",
            subject=document.id,
            remedy="Read the page's text instead; pictures are of PDF files that are still where they were read.",
        )

    def _sha256(self, file: Path) -> str:
        stat = file.stat()
        key = (str(file), stat.st_size, stat.st_mtime_ns)
        if key not in self._same:
            with file.open("rb") as content:
                self._same[key] = file_digest(content, "sha256").hexdigest()
        return self._same[key]


def _boxes(qa: DocumentQA, document: str, number: int, marked: tuple[int, int]) -> Boxes:
    """The boxes of the page's words that lie in `marked`."""
    page = qa.pages(document)[number - 1]
    start, end = (place - page.char_start for place in marked)
    return [
        (box.left, box.bottom, box.right, box.top)
        for box in qa.boxes(document, number)
        if box.char_start < end and box.char_end > start
    ]
