"""What parsing one document may take, and the kernel's help in keeping it to that; Linux and other POSIX systems."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

_OPEN_FILES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Opening a document and each of its pages may take `cpu_seconds` of processor time, and `wall_seconds` of waiting.

    `memory_bytes` is address space beyond what the process has before it opens the document. `cpu_seconds_total` holds
    for the whole document. A child that waits for us to take its pages uses neither.
    """

    memory_bytes: int = 1 << 30
    cpu_seconds: int = 60
    cpu_seconds_total: int = 3_600
    wall_seconds: float = 120.0

    def impose(self) -> None:
        """Limit this process and what it starts, for good: also no core dump, no written file, few open ones."""
        memory = _address_space() + self.memory_bytes
        for kind, most in (
            (resource.RLIMIT_AS, memory),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NOFILE, _OPEN_FILES),
            (resource.RLIMIT_CPU, self.cpu_seconds_total),
        ):
            resource.setrlimit(kind, (most, most))
        self.grant_page()

    def grant_page(self) -> None:
        """Give this process the processor time of one more page; the kernel ends it with SIGXCPU beyond that."""
        soft = min(int(time.process_time()) + 1 + self.cpu_seconds, self.cpu_seconds_total)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, self.cpu_seconds_total))


def _address_space() -> int:
    """Bytes of address space in use."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # no /proc
        return 0
