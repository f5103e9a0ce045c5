"""Who owns an ingestion, and whether that owner still lives; knows nothing of the database."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from uuid import uuid4

LEASE_SECONDS = 60.0
"""How long an owner that cannot be looked up (on another host) counts as alive after its last heartbeat."""

_held: set[str] = set()


def take() -> str:
    """A new owner in this process: `host:pid:start:mark`, where the mark tells it from others in the same process.

    The host's name comes with its space of process numbers, because containers may share the one and not the other.
    The process's start time tells it from a later process that was given the same number.
    """
    owner = f"{_this_process()}:{uuid4().hex[:8]}"
    _held.add(owner)
    return owner


def release(owner: str) -> None:
    """Let `owner` count as dead, also where the database could not be told."""
    _held.discard(owner)


def describe(owner: str) -> str:
    """The owner for people."""
    host, pid, *_ = owner.rsplit(":", 3)
    return f"process {pid} on {host.partition('/')[0]}"


def is_alive(owner: str, *, lease_left: float) -> bool:
    """Whether `owner` may still be at work. A process of this host is looked up; another has a lease to renew."""
    if not owner:
        return False
    process, _, _ = owner.rpartition(":")
    if process == _this_process():
        return owner in _held
    host, pid, started = process.rsplit(":", 2)
    if host == _this_host() and started:
        return _started(int(pid)) == started
    return lease_left > 0


def _this_process() -> str:
    return f"{_this_host()}:{os.getpid()}:{_started(os.getpid())}"


def _this_host() -> str:
    try:
        numbers = Path("/proc/self/ns/pid").readlink().name
    except OSError:  # no /proc: then processes cannot be looked up either
        numbers = ""
    return f"{socket.gethostname()}/{numbers.replace(':', '')}"


def _started(pid: int) -> str:
    """Clock ticks from the machine's start to the process's; empty when it has ended or there is no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    # The command's name, in parentheses, may hold anything: fields are counted from behind it.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]
