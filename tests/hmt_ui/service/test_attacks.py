"""What hostile visitors try, on every route there is."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.hmt_ui.service.conftest import Service, upload

REFUSED = {400, 403, 404, 405, 409, 413, 415, 422}
OUTSIDE = [
    "../../../../../../etc/passwd",
    "..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "..\\..\\..\\..\\etc\\passwd",
    "%2fetc%2fpasswd",
    "....//....//....//etc/passwd",
    "%00/etc/passwd",
    "file:///etc/passwd",
    "*",
    "' OR 1=1 --",
]


def raw(service: Service, request_line: str, host: str = "", **headers: str) -> tuple[int, str]:
    """Status and text of a request whose path no client library has tidied up."""
    address = urlsplit(service.address)
    lines = [request_line, f"Host: {host or address.netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(answer.split(b" ", 2)[1]), answer.decode("utf-8", "replace")


@pytest.mark.parametrize("outside", OUTSIDE)
def test_no_route_leads_out_of_the_library(live: Service, outside: str) -> None:
    with live.client() as client:
        paths = client.get("/api/v1/openapi.json").json()["paths"]
    taking = [path for path in paths if "{" in path]
    assert len(taking) >= 7
    for path in [*taking, "/gradio_api/file={x}", "/static/{x}", "/assets/{x}", "/theme/{x}", "/mcp/{x}", "/{x}"]:
        whole = path.split("{", maxsplit=1)[0] + outside.replace(" ", "%20") + path.rpartition("}")[2]
        for method in ("GET", "DELETE"):
            status, told = raw(live, f"{method} {whole} HTTP/1.1")
            assert "root:" not in told, whole
            assert status in REFUSED | ({200} if path == "/{x}" else set()), (whole, status)


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file={home}/library.db",
        "/gradio_api/file/{home}/library.db",
        "/file={home}/library.db",
        "/gradio_api/upload_progress?upload_id=x",
        "/gradio_api/proxy=http://127.0.0.1:1/",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/gradio_api/runs",
        "/gradio_api/vibe-code/",
        "/monitoring",
        "/monitoring/summary",
        "/openapi.json",
        "/docs",
        "/redoc",
    ],
)
def test_gradio_gives_away_no_file_and_no_figure(live: Service, path: str) -> None:
    status, told = raw(live, f"GET {path.format(home=live.home)} HTTP/1.1")
    assert status in REFUSED, told[:300]
    assert "SQLite format 3" not in told


def test_a_file_name_cannot_choose_its_place(live: Service, client: httpx.Client) -> None:
    for name in ("../../evil.txt", "/etc/evil.txt", "..\\evil.txt", "<img src=x onerror=alert(1)>.txt", ".hidden"):
        made = upload(client, name, f"The name is {len(name)} long.\n")
        kept = live.home / "uploads" / str(made["file"])
        assert kept.resolve().is_relative_to((live.home / "uploads").resolve())
        assert kept.is_file()
        client.delete(f"/api/v1/documents/{made['id']}")
    assert not (live.home / "evil.txt").exists()


def test_a_page_of_another_name_is_refused_and_so_is_another_origin(live: Service) -> None:
    assert raw(live, "GET /api/v1/documents HTTP/1.1", host="rebound.example")[0] == 403
    evil = {"Origin": "http://evil.example", "Content-Length": "0"}
    for path in ("/api/v1/ask", "/v1/chat/completions", "/mcp", "/gradio_api/queue/join", "/login", "/logout"):
        assert raw(live, f"POST {path} HTTP/1.1", **evil)[0] == 403, path


def test_every_answer_tells_the_browser_to_trust_nothing(live: Service) -> None:
    with live.client() as client:
        for path in ("/", "/api/v1/documents", "/api/v1/nothing", "/login", "/v1/models"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert "default-src 'self'" in headers["content-security-policy"]
            assert headers["x-frame-options"] == "DENY"
            assert "access-control-allow-origin" not in headers


def test_an_overlong_request_is_refused_before_it_is_read(live: Service, client: httpx.Client) -> None:
    huge = client.post("/api/v1/ask", content=b'{"question": "' + b"a" * 3_000_000 + b'"}')
    assert huge.status_code == 413


def test_a_bomb_of_a_page_is_no_picture(live: Service, client: httpx.Client, tmp_path: Path) -> None:
    made = upload(client, "broken.pdf", enormous())
    answer = client.get(f"/api/v1/documents/{made['id']}/pages/1/picture")
    assert answer.status_code == 200
    assert len(answer.content) < 1_000_000
    client.delete(f"/api/v1/documents/{made['id']}")


def enormous() -> bytes:
    """A PDF whose page is ten kilometres wide."""
    import io

    from reportlab.pdfgen.canvas import Canvas

    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(28_000_000, 200))
    canvas.drawString(20, 100, "The page is wide.")
    canvas.save()
    return file.getvalue()
