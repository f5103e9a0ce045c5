"""A file is opened in a child process; its pages come in as they are asked for, what goes wrong as a `FileProblem`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hmt_ingest.naming import shown
from hmt_ingest.sandbox import verdict, wire
from hmt_ingest.sandbox.child import Order, reader_name
from hmt_ingest.sandbox.starting import Child, ForkServer
from hmt_qa.errors import FileProblem
from hmt_qa.ports import Reader
from hmt_qa.types import Page, ParsingLimits

_PROBLEMS: dict[str, type[FileProblem]] = {kind.__name__: kind for kind in FileProblem.__subclasses__()}


class Sandbox:
    """Opens documents in children of a fork server, which the first of them starts; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: ForkServer | None = None

    @contextmanager
    def open(
        self, reader: Reader, path: Path, *, password: str | None = None, limits: ParsingLimits
    ) -> Iterator[SandboxedText]:
        """Open `path` with `reader`; raises `FileProblem` only. What the body of the `with` raises passes untouched."""
        whole = os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps `..`
        text = SandboxedText(self, Order(reader=reader_name(reader), path=whole, password=password, limits=limits))
        try:
            text.begin()
            yield text
        finally:
            text.close()

    def fork(self, order: Order) -> Child:
        """A new child at work on `order`, by a new fork server if the last one died; raises `ParsingStopped`."""
        with self._lock:
            try:
                return self._fork(order)
            except OSError as problem:
                what = f"could not be given a process to be parsed in ({problem.strerror})"
                raise verdict.stopped(Path(order.path), what, "Free some memory and try again.") from problem

    def _fork(self, order: Order) -> Child:
        if self._server is None or not self._server.is_ours:
            self._server = ForkServer()
        try:
            return self._server.fork(order)
        except OSError:
            self._server.close()
            self._server = ForkServer()
            return self._server.fork(order)

    @property
    def server_pid(self) -> int:
        """Process id of the fork server; 0 before the first document."""
        return self._server.pid if self._server else 0

    def close(self) -> None:
        """End the fork server and every child."""
        with self._lock:
            if self._server is not None:
                self._server.close()
            self._server = None


class SandboxedText:
    """A document that children read: the first one opens it and reads it once, each further pass has its own.

    `while_waiting` is called twice a second while a page is waited for; what it raises passes untouched.
    """

    def __init__(self, sandbox: Sandbox, order: Order) -> None:
        self.title = self.media_type = ""
        self.page_count = 0
        self.while_waiting: Callable[[], None] = lambda: None
        self._sandbox = sandbox
        self._order = order
        self._passes: list[_Pass] = []

    def begin(self) -> None:
        """Have it opened, and learn its title and how many pages it has; raises `FileProblem`."""
        header = self._start().header
        self.title, self.media_type, self.page_count = header.title, header.media_type, header.page_count

    def __iter__(self) -> Iterator[Page]:
        """Pages in order, numbered from 1; raises `FileProblem` only."""
        unused = next((one for one in self._passes if one.unused), None)
        this = unused or self._start()
        try:
            yield from this
        finally:
            this.close()
            self._passes.remove(this)

    def close(self) -> None:
        """End every child that still runs."""
        for one in self._passes:
            one.close()

    def _wait(self) -> None:
        self.while_waiting()  # whichever it is by then: the first pass begins before anybody can set it

    def _start(self) -> _Pass:
        one = _Pass(self._sandbox.fork(self._order), self._order, self._wait)
        self._passes.append(one)
        one.open()
        return one


class _Pass:
    """One reading of a document from its beginning, by one child."""

    def __init__(self, child: Child, order: Order, while_waiting: Callable[[], None]) -> None:
        self.unused = True
        self.header = wire.Header(title="", media_type="", page_count=0)
        self._child = child
        self._path = Path(order.path)
        self._limits = order.limits
        seconds = verdict.wall_seconds(order.limits)
        self._frames = wire.frames(child.pages, seconds=seconds, while_waiting=while_waiting)
        self._page = 0  # the one that comes next

    def open(self) -> None:
        """Wait until the document is open."""
        said = self._next()
        if not isinstance(said, wire.Header):
            raise verdict.nonsense(self._path, page=0)
        self.header, self._page = said, 1

    def __iter__(self) -> Iterator[Page]:
        """What follows the header."""
        self.unused = False
        while (page := self._next()) is not None:
            if not isinstance(page, Page) or page.number != self._page:
                raise verdict.nonsense(self._path, page=self._page)
            self._page += 1
            yield page

    def close(self) -> None:
        """End the child."""
        self._child.close()

    def _next(self) -> wire.Header | Page | None:
        try:
            said = next(self._frames)
        except wire.Silence as problem:
            raise verdict.silence(self._path, self._limits, page=self._page) from problem
        except wire.Nonsense as problem:
            raise verdict.nonsense(self._path, page=self._page) from problem
        except wire.Gone as problem:
            raise verdict.death(self._path, self._child.death(), self._limits, page=self._page) from problem
        if isinstance(said, wire.Problem):
            kind = _PROBLEMS.get(said.kind, FileProblem)
            raise kind(said.message, subject=shown(self._path), remedy=said.remedy)
        return said
