"""What a child's death means, in words that help: memory, time, or a crash of the parser."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from hmt_ingest.naming import shown
from hmt_ingest.sandbox.limits import ran_out
from hmt_qa.errors import ParsingStopped
from hmt_qa.types import ParsingLimits

_OTHERWISE = "Save it anew with another program, or convert it to text."
_MORE_MEMORY = "If you trust it, allow more (HMT_QA_PARSER_MEMORY_MB); else convert it to text."
_MORE_TIME = "If you trust it, allow more (HMT_QA_PARSER_PAGE_SECONDS); else convert it to text."


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """How a child ended: exit code, signal (0 for none), peak resident memory in bytes, processor time in seconds."""

    code: int
    signal: int
    peak_bytes: int
    cpu_seconds: float


def wall_seconds(limits: ParsingLimits) -> int:
    """How long we wait for the child to open its document, and for each page."""
    return 2 * limits.page_seconds + 3


def silence(path: Path, limits: ParsingLimits, *, page: int) -> ParsingStopped:
    """The error for a document that kept us waiting for `page` (0: while it was opened)."""
    return stopped(path, f"took more than {wall_seconds(limits)} seconds {_where(page)}", _MORE_TIME)


def nonsense(path: Path, *, page: int) -> ParsingStopped:
    """The error for a child that does not speak as it should."""
    return stopped(path, f"made its parser misbehave {_where(page)}")


def hunger(path: Path, limits: ParsingLimits, *, where: str = "") -> ParsingStopped:
    """The error for a document that needs more memory than it may take."""
    return stopped(path, f"needs more than {limits.memory_mb:,} MB of memory{where}", _MORE_MEMORY)


def death(path: Path, ended: Death | None, limits: ParsingLimits, *, page: int) -> ParsingStopped:
    """The error for a document whose child died on `page` (0: while it was opened)."""
    if ended is None:
        return stopped(path, f"lost its parser {_where(page)}")
    if ended.signal == signal.SIGXCPU:
        took = f"took more than {limits.page_seconds} seconds of processor time {_where(page)}"
        return stopped(path, took, _MORE_TIME)
    if ended.signal == signal.SIGKILL and ended.cpu_seconds > limits.total_seconds - 1:
        return stopped(path, f"took more than {limits.total_seconds:,} seconds of processor time in all")
    if ended.signal != signal.SIGKILL and ran_out(limits, ended.peak_bytes):
        return hunger(path, limits, where=f" {_where(page)}")
    how = signal.Signals(ended.signal).name if ended.signal else f"exit code {ended.code}"
    return stopped(path, f"made its parser crash {_where(page)} ({how})")


def stopped(path: Path, what: str, remedy: str = _OTHERWISE) -> ParsingStopped:
    """The error for a document that did `what`."""
    return ParsingStopped(f"{shown(path)} {what}.", subject=shown(path), remedy=remedy)


def _where(page: int) -> str:
    return f"on page {page}" if page else "while it was opened"
