"""Files that wait to be read, the longest first; of those with equal bytes one is read before the others."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hmt_ingest.walk import Found


class BeingRead(Exception):
    """Another lane is reading the same bytes: their memory will do for this file too."""

    def __init__(self, sha256: str) -> None:
        super().__init__(sha256)
        self.sha256 = sha256


class Line:
    """Where lanes take their next file from; safe between threads."""

    def __init__(self, files: Sequence[Found] = ()) -> None:
        # The longest first: what is left for the end, when lanes run out of files, is then short.
        self._files = deque(sorted(files, key=_size, reverse=True))
        self._behind: dict[str, list[Found]] = {}  # by the bytes that are being read
        self._lock = threading.Lock()

    def take(self) -> Found | None:
        """The next file, if there is one."""
        with self._lock:
            return self._files.popleft() if self._files else None

    @contextmanager
    def reading(self, sha256: str) -> Iterator[None]:
        """Be the only one that reads these bytes; raises `BeingRead`. Files put off meanwhile come next then."""
        with self._lock:
            if sha256 in self._behind:
                raise BeingRead(sha256)
            self._behind[sha256] = []
        try:
            yield
        finally:
            with self._lock:
                self._files.extendleft(self._behind.pop(sha256))

    def put_off(self, found: Found, sha256: str) -> None:
        """Let a file wait until these bytes have been read."""
        with self._lock:
            if sha256 in self._behind:
                self._behind[sha256].append(found)
            else:
                self._files.appendleft(found)


def _size(found: Found) -> int:
    try:
        return found.path.stat().st_size
    except OSError:  # whoever reads it says why
        return 0
