"""Keeps this process to what parsing one document may take, with the kernel's help; Linux and other POSIX systems."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

from hmt_qa.types import ParsingLimits

_OPEN_FILES = 64


def impose(limits: ParsingLimits, *, written_bytes: int = 0) -> None:
    """Limit this process and what it starts, for good: also no core dump, no written file above that, few open ones.

    Memory is counted from what the process has now. Limits that are lower already stay.
    """
    if used := _address_space():
        _lower(resource.RLIMIT_AS, used + (limits.memory_mb << 20))
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, written_bytes)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _lower(resource.RLIMIT_CPU, limits.total_seconds)
    grant_page(limits)


def grant_page(limits: ParsingLimits) -> None:
    """Give this process the processor time of one more page; the kernel ends it with SIGXCPU beyond that."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(time.process_time()) + 1 + limits.page_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (min(soft, hard), hard))


def _lower(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def ran_out(limits: ParsingLimits, peak_bytes: int) -> bool:
    """Whether a process that failed, with at most `peak_bytes` resident, probably lacked memory.

    An allocation that is refused does not show in what was used.
    """
    return 2 * peak_bytes > limits.memory_mb << 20


def _address_space() -> int:
    """Bytes of address space in use; 0 where /proc does not tell, as on macOS, which does not limit it either."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
