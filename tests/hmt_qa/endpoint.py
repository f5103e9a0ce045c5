"""A real HTTP server on loopback that speaks OpenAI's chat completions, well or badly, as a test wants."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Endpoint:
    """What the server says next, and what it was asked."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.status = 200
        self.raw: bytes | None = None
        self.silent_for = 0.0
        self.pause = 0.0
        self.broken_off_after: int | None = None
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.sent = 0
        self.hung_up = threading.Event()
        self.url = ""

    @property
    def message(self) -> str:
        """What the last request's user said."""
        return str(self.asked[-1]["messages"][-1]["content"])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    endpoint: Endpoint


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Tests stay quiet."""

    def do_POST(self) -> None:
        said = self.server.endpoint
        said.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        said.headers.append({name.lower(): value for name, value in self.headers.items()})
        time.sleep(said.silent_for)
        if said.status != 200:
            key = self.headers["Authorization"]
            self._whole(said.status, json.dumps({"error": {"message": f"no: {key}"}}).encode())
        elif said.raw is not None:
            self._whole(200, said.raw)
        else:
            self._stream(said)

    def _whole(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, said: Endpoint) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for number, piece in enumerate(said.pieces):
                if number == said.broken_off_after:
                    return
                self._event(json.dumps(_chunk({"role": "assistant", "content": piece})))
                said.sent += 1
                time.sleep(said.pause)
            self._event(json.dumps(_chunk({}, "stop")))
            self._event("[DONE]")
        except OSError:
            said.hung_up.set()

    def _event(self, data: str) -> None:
        self.wfile.write(f"data: {data}\n\n".encode())
        self.wfile.flush()


def _chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "local", "choices": [choice]}


@contextmanager
def serving() -> Iterator[Endpoint]:
    """A server until the end of the block."""
    endpoint = Endpoint()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.endpoint = endpoint
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
