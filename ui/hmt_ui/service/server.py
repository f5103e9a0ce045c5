"""Runs the service on this machine until it is told to end."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from hmt_qa import DocumentQA
from hmt_qa.errors import HmtQaError
from hmt_qa.types import ParsingLimits
from hmt_ui.binding import LOOPBACK_NAMES, require_safe
from hmt_ui.service.application import application
from hmt_ui.service.desk import Desk
from hmt_ui.service.figures import Figures
from hmt_ui.service.inbox import Inbox
from hmt_ui.service.limits import Limits
from hmt_ui.service.line import Line
from hmt_ui.service.picturing import Pictures
from hmt_ui.service.throttle import Throttle
from hmt_ui.service.warming import Warming
from hmt_ui.web.mounting import environment

_log = logging.getLogger(__name__)

_GOODBYE_SECONDS = 3  # for answers that are being written when the server is told to end
_LOOK_SECONDS = 0.02


def serve(
    qa: DocumentQA,
    *,
    host: str,
    port: int,
    uploads: Path,
    allow_unauthenticated: bool = False,
    names: Iterable[str] = (),
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    parsing: ParsingLimits = ParsingLimits(),  # noqa: B008 (frozen)
) -> None:
    """Serve until Ctrl+C or SIGTERM; uploaded files are kept under `uploads`, a folder in the library's home.

    `names` are hosts that browsers may call this server by, beside loopback's own; `parsing` is what one uploaded file
    may take. Raises `HmtQaError` where `host`
    can be reached by others, there are no users and `allow_unauthenticated` is not set, or where `port` is taken.
    """
    require_safe(host, login=qa.library.users.exist(), allow_unauthenticated=allow_unauthenticated)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's stop is an orderly one too
    with running(qa, host=host, port=port, uploads=uploads, names=names, limits=limits, parsing=parsing) as address:
        print(f"hmt-qa is at {address} (Ctrl+C ends it)", file=sys.stderr)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)  # said once is enough: the orderly end has begun
            _log.info("server_interrupted")


@contextmanager
def running(
    qa: DocumentQA,
    *,
    host: str,
    port: int,
    uploads: Path,
    names: Iterable[str] = (),
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    parsing: ParsingLimits = ParsingLimits(),  # noqa: B008 (frozen)
) -> Iterator[str]:
    """The page's address while the server is up; what is being read is kept when it goes down."""
    desk = open_desk(qa, uploads=uploads, limits=limits, parsing=parsing)
    with tempfile.TemporaryDirectory(prefix="hmt-qa-uploads-", ignore_cleanup_errors=True) as arriving:
        environment(Path(arriving))
        app = application(desk, hosts=LOOPBACK_NAMES.union(names), home=uploads.resolve().parent)
        with listening(host, port) as listener:
            config = uvicorn.Config(
                app, log_level="warning", lifespan="on", server_header=False, timeout_graceful_shutdown=_GOODBYE_SECONDS
            )
            with _in_background(uvicorn.Server(config), listener):
                desk.warming.start()
                shown = f"[{host}]" if ":" in host else host
                address = f"http://{shown}:{listener.getsockname()[1]}/"
                _log.info("server_up address=%s taken_up=%d", address, desk.inbox.take_up())
                try:
                    yield address
                finally:
                    desk.inbox.stop()


def open_desk(
    qa: DocumentQA,
    *,
    uploads: Path,
    limits: Limits,
    parsing: ParsingLimits = ParsingLimits(),  # noqa: B008 (frozen)
) -> Desk:
    """What all visitors of one server share."""
    warming, line = Warming(qa), Line(longest=limits.waiting)
    inbox = Inbox(qa, uploads, warming, longest=limits.waiting, parsing=parsing)
    return Desk(
        qa=qa,
        inbox=inbox,
        warming=warming,
        line=line,
        limits=limits,
        figures=Figures(qa, inbox, line),
        pictures=Pictures(),
        throttle=Throttle(),
    )


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket; raises `HmtQaError` where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio has small answers sent at once: else the body waits 40 ms behind its header.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(1024)
        except OSError as exc:
            raise HmtQaError(
                f"Port {port} of {host} cannot be had: {exc.strerror}.",
                subject=port,
                remedy="Choose another with --port or --host.",
            ) from exc
        yield listener


@contextmanager
def _in_background(server: uvicorn.Server, listener: socket.socket) -> Iterator[None]:
    """The server in a thread of its own, up when this is entered and down when it is left."""
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="hmt-qa server", daemon=True)
    thread.start()
    while thread.is_alive() and not server.started:
        time.sleep(_LOOK_SECONDS)
    if not server.started:
        raise HmtQaError("The server could not be started.", remedy="See the log.")
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
