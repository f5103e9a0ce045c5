"""Files that appear or change under the given paths, as they settle, on any file system: by looking again and again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hmt_ingest.fingerprint import SETTLED_SECONDS, stamp_of
from hmt_ingest.walk import Found, Skipped, Walk
from hmt_qa.errors import FileMissing

LOOK_SECONDS = 1.0
"""Between two looks, at least; a look may take a tenth of the time."""

RETRY_SECONDS = 60.0
"""Until a file is tried again that failed by no fault of its own: another process has it, the library was locked."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """Looks at the files that `walk` finds. One has settled when its size and times were the same for two seconds."""

    walk: Walk
    paths: Sequence[Path]
    _taken: dict[Path, str] = field(default_factory=dict)
    _waiting: dict[Path, tuple[str, float]] = field(default_factory=dict)
    _told: set[Skipped] = field(default_factory=set)
    _looking: float = 0.0

    def looks(self) -> Iterator[Iterator[Found | Skipped]]:
        """For ever: what is new since the last look. A file that was left out is named once."""
        while True:
            self._looking = 0.0
            yield self._timed(self._look())
            time.sleep(max(LOOK_SECONDS, 9 * self._looking))

    def retry(self, path: Path) -> None:
        """Give this file again in a minute, though it did not change."""
        stamp = self._taken.pop(path, "")
        self._waiting[path] = (stamp, time.monotonic() + RETRY_SECONDS - SETTLED_SECONDS)

    def missed(self) -> bool:
        """Whether a file that was given out is no longer there; each is noticed once."""
        gone = [path for path, stamp in self._taken.items() if stamp and not _stamp(path)]
        for path in gone:
            del self._taken[path]
        return bool(gone)

    def _timed(self, entries: Iterator[Found | Skipped]) -> Iterator[Found | Skipped]:
        """The same entries; only the time that finding them takes is counted, not what is done with them."""
        while True:
            began = time.monotonic()
            entry = next(entries, None)
            self._looking += time.monotonic() - began
            if entry is None:
                return
            yield entry

    def _look(self) -> Iterator[Found | Skipped]:
        for entry in self.walk.files(self.paths):
            if isinstance(entry, Skipped):
                if entry not in self._told:
                    self._told.add(entry)
                    yield entry
            elif self._is_due(entry.path):
                yield entry

    def _is_due(self, path: Path) -> bool:
        stamp = _stamp(path)
        if self._taken.get(path) == stamp:
            return False
        now = time.monotonic()
        seen, since = self._waiting.get(path, ("", now))
        if stamp and (seen != stamp or now - since < SETTLED_SECONDS):
            self._waiting[path] = (stamp, since if seen == stamp else now)
            return False
        self._waiting.pop(path, None)
        self._taken[path] = stamp
        return True


def _stamp(path: Path) -> str:
    """Empty for a file that is not there: one that was given by name is to be reported."""
    try:
        return stamp_of(path)
    except FileMissing:
        return ""
