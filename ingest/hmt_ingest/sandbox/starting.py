"""Starts the fork server and asks it for children; the other end of `hmt_ingest.sandbox.forkserver`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from hmt_ingest.sandbox.child import Order
from hmt_ingest.sandbox.forkserver import DEATH, LENGTH
from hmt_ingest.sandbox.verdict import Death

_LAST_WORDS_SECONDS = 5.0
# Passed on to the processes that parse; tokens and keys in our environment are none of their business.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TESSDATA_PREFIX")
# A fork keeps one thread, and each thread of a numeric library costs address space.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process that reads one document: `pages` is what it says, `ending` what the fork server says of its end."""

    pages: socket.socket
    ending: socket.socket

    def death(self) -> Death | None:
        """How it ended, once it has; None where that cannot be learnt."""
        self.ending.settimeout(_LAST_WORDS_SECONDS)
        try:
            said = self.ending.recv(DEATH.size, socket.MSG_WAITALL)
        except OSError:
            return None
        if len(said) != DEATH.size:
            return None
        code, by_signal, peak_bytes, cpu_seconds = DEATH.unpack(said)
        return Death(code=code, signal=by_signal, peak_bytes=peak_bytes, cpu_seconds=cpu_seconds)

    def close(self) -> None:
        """Have it killed, with all that it started, if it still runs."""
        self.pages.close()
        self.ending.close()


class ForkServer:
    """A running fork server. It ends when it is closed, and by itself when this process ends."""

    def __init__(self) -> None:
        """Start it; raises OSError where there is no process to be had."""
        self._owner = os.getpid()
        self._orders, theirs = socket.socketpair()
        with theirs, ExitStack() as failing:
            failing.callback(self._orders.close)
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", "hmt_ingest.sandbox.forkserver", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=environment(),
                start_new_session=True,  # Ctrl-C is for us: we end it in order
            )
            failing.pop_all()

    @property
    def is_ours(self) -> bool:
        """Whether this very process started it: one forked off from us has to start its own."""
        return self._owner == os.getpid()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def fork(self, order: Order) -> Child:
        """A new child at work on `order`; raises OSError where the server is gone."""
        content = json.dumps(order.as_json()).encode()
        pages, their_pages = socket.socketpair()
        ending, their_ending = socket.socketpair()
        child = Child(pages=pages, ending=ending)
        try:
            with their_pages, their_ending:
                ends = [their_pages.fileno(), their_ending.fileno()]
                socket.send_fds(self._orders, [LENGTH.pack(len(content))], ends)
                self._orders.sendall(content)
        except OSError:
            child.close()
            raise
        return child

    def close(self) -> None:
        """End it; its children die with it."""
        self._orders.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LAST_WORDS_SECONDS)
            return
        self._process.kill()
        self._process.wait()


def environment() -> dict[str, str]:
    """What a process that parses is given of ours: enough to find its modules, no token and no key."""
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return kept | _ONE_THREAD | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
