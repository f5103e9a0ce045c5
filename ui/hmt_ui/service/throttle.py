"""Slows down whoever guesses passwords: by name and by address, after a few that were wrong."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from hmt_qa.errors import TooManyLogins

WRONG = 5
"""Wrong passwords until the next try has to wait."""
WAIT_SECONDS = 30.0
_MOST_KEPT = 10_000


class Throttle:
    """Remembers wrong passwords of this process; safe to share between threads."""

    def __init__(self, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._wait = wait_seconds
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how often, and when last
        self._lock = threading.Lock()

    def check(self, *keys: str) -> None:
        """Raise `TooManyLogins` where one of the keys was wrong too often a moment ago."""
        now = time.monotonic()
        with self._lock:
            waits = [self._wait - (now - last) for count, last in map(self._of, keys) if count >= WRONG]
        if any(wait > 0 for wait in waits):
            raise TooManyLogins("Too many wrong passwords.", remedy=f"Try again in {max(waits):.0f} seconds.")

    def wrong(self, *keys: str) -> None:
        """Count a wrong password."""
        with self._lock:
            for key in keys:
                self._wrong[key] = (self._of(key)[0] + 1, time.monotonic())
                self._wrong.move_to_end(key)
            while len(self._wrong) > _MOST_KEPT:
                self._wrong.popitem(last=False)

    def right(self, *keys: str) -> None:
        """Forget what was wrong before."""
        with self._lock:
            for key in keys:
                self._wrong.pop(key, None)

    def _of(self, key: str) -> tuple[int, float]:
        return self._wrong.get(key, (0, 0.0))
