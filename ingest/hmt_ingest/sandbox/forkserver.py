"""The clean process that forks a child for each document; it never opens one itself.

    python -m hmt_ingest.sandbox.forkserver FD      FD is our end of a stream socket

An order is a length, a JSON object and two sockets: on the first the child sends its pages; on the second we say how it
ended, and see that nobody waits for it any more when the other end closes. Then the child's whole process group is
killed, as it is when the orders' socket closes: nothing of ours outlives the process that started us.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import selectors
import signal
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import NoReturn

from hmt_ingest.sandbox.child import Order, find_reader, read

LENGTH = struct.Struct("<I")
DEATH = struct.Struct("<iiQd")
"""How a child ended: its exit code, or else the signal that ended it; peak resident memory in bytes, CPU seconds."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38


def main() -> None:
    """Serve orders until their socket closes."""
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        _Server(orders).serve()


@dataclass(slots=True)
class _Server:
    orders: socket.socket
    endings: dict[int, socket.socket] = field(default_factory=dict)  # by process id
    events: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def serve(self) -> None:
        """Fork, reap and kill until the orders end."""
        reaped, wakes = socket.socketpair()
        for end in (reaped, wakes):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wakes.fileno())
        self.events.register(reaped, selectors.EVENT_READ)
        self.events.register(self.orders, selectors.EVENT_READ)
        while True:
            for key, _ in self.events.select():
                if key.fileobj is reaped:
                    reaped.recv(4096)
                    self._reap()
                elif key.fileobj is not self.orders:
                    self._give_up(key.data)
                elif not self._take_order():
                    for child in self.endings:
                        _kill_group(child)
                    return

    def _take_order(self) -> bool:
        """Fork a child for the next order; False when there are no more."""
        said, descriptors, _, _ = socket.recv_fds(self.orders, LENGTH.size, 2)
        if len(said) < LENGTH.size or len(descriptors) != 2:
            return False
        content = b""
        (size,) = LENGTH.unpack(said)
        while len(content) < size:
            content += self.orders.recv(size - len(content)) or _vanished()
        pages, ending = (socket.socket(fileno=descriptor) for descriptor in descriptors)
        order = Order.from_json(json.loads(content))
        _import_ahead(order.reader)
        with pages:
            child = os.fork()
            if not child:
                _be_child(order, pages)
        with suppress(OSError):
            os.setpgid(child, child)
        self.endings[child] = ending
        self.events.register(ending, selectors.EVENT_READ, data=child)
        return True

    def _give_up(self, child: int) -> None:
        """Nobody waits for this child any more. It may have been reaped since the event was seen."""
        if child in self.endings:
            _kill_group(child)
            self.events.unregister(self.endings[child])

    def _reap(self) -> None:
        while self.endings:
            child, status, usage = os.wait4(-1, os.WNOHANG)
            if not child:
                return
            ending = self.endings.pop(child)
            with suppress(KeyError):
                self.events.unregister(ending)
            _kill_group(child)  # whatever the child itself had started
            code = os.waitstatus_to_exitcode(status)
            seconds = usage.ru_utime + usage.ru_stime
            with ending, suppress(OSError):
                ending.sendall(DEATH.pack(max(code, 0), max(-code, 0), usage.ru_maxrss * 1024, seconds))


def _vanished() -> NoReturn:
    raise SystemExit(0)


def _import_ahead(reader: str) -> None:
    """Import what the reader needs, so that its children find it imported. A failure is the child's to report."""
    try:
        for library in getattr(find_reader(reader), "libraries", ()):
            import_module(library)
    except Exception:
        logging.getLogger(__name__).debug("reader not importable: %s", reader, exc_info=True)


def _be_child(order: Order, pages: socket.socket) -> NoReturn:
    """Become the process that reads one document: own group, own sockets only, and end."""
    code = 1
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _bind_to_parent()
        channel = os.dup2(pages.fileno(), 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        sys.dont_write_bytecode = True
        read(order, socket.socket(fileno=channel))
        code = 0
    finally:
        os._exit(code)


def _bind_to_parent() -> None:
    """Linux: die with the fork server, and never gain rights from a program that is started."""
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _kill_group(child: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
