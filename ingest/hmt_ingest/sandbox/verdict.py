"""What a child's death means, in words that help: memory, time, or a crash of the parser."""

from __future__ import annotations

import signal
from pathlib import Path

from hmt_ingest.naming import shown
from hmt_ingest.sandbox.limits import ran_out
from hmt_ingest.sandbox.starting import Death
from hmt_qa.errors import ParsingStopped
from hmt_qa.types import ParsingLimits

_REMEDY = "Save it anew with another program, or convert it to text."


def wall_seconds(limits: ParsingLimits) -> int:
    """How long we wait for the child to open its document, and for each page."""
    return 2 * limits.page_seconds + 3


def silence(path: Path, limits: ParsingLimits, *, page: int) -> ParsingStopped:
    """The error for a document that kept us waiting for `page` (0: while it was opened)."""
    return _stopped(path, f"took more than {wall_seconds(limits)} seconds {_where(page)}")


def nonsense(path: Path, *, page: int) -> ParsingStopped:
    """The error for a child that does not speak as it should."""
    return _stopped(path, f"made its parser misbehave {_where(page)}")


def death(path: Path, ended: Death | None, limits: ParsingLimits, *, page: int) -> ParsingStopped:
    """The error for a document whose child died on `page` (0: while it was opened)."""
    if ended is None:
        return _stopped(path, f"lost its parser {_where(page)}")
    if ended.signal == signal.SIGXCPU:
        return _stopped(path, f"took more than {limits.page_seconds} seconds of processor time {_where(page)}")
    if ended.signal == signal.SIGKILL and ended.cpu_seconds > limits.total_seconds - 1:
        return _stopped(path, f"took more than {limits.total_seconds:,} seconds of processor time in all")
    if ended.signal != signal.SIGKILL and ran_out(limits, ended.peak_bytes):
        return _stopped(path, f"needs more than {limits.memory_mb:,} MB of memory {_where(page)}")
    how = signal.Signals(ended.signal).name if ended.signal else f"exit code {ended.code}"
    return _stopped(path, f"made its parser crash {_where(page)} ({how})")


def _where(page: int) -> str:
    return f"on page {page}" if page else "while it was opened"


def _stopped(path: Path, what: str) -> ParsingStopped:
    return ParsingStopped(f"{shown(path)} {what}.", subject=shown(path), remedy=_REMEDY)
