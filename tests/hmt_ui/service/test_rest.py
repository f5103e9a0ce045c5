"""The REST interface: what each route does, and how it says that something cannot be done."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from hmt_qa.engine import LocalEngine
from hmt_ui.service.limits import Limits
from hmt_ui.service.problems import INTERNAL_ERROR
from tests.hmt_ui.papers import pdf
from tests.hmt_ui.service.conftest import MILL, Service, service, upload

PROBLEM = "application/problem+json"


def the(client: httpx.Client, title: str) -> dict[str, object]:
    """The listed document of this title."""
    documents = client.get("/api/v1/documents").json()["documents"]
    return next(dict(document) for document in documents if document["title"] == title)


def events(text: str) -> list[tuple[str, dict[str, object]]]:
    """Server-sent events as (kind, data) pairs."""
    found = []
    for block in filter(None, text.split("\n\n")):
        kind, data = block.split("\n", 1)
        found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_a_document_is_listed_shown_renamed_and_deleted(client: httpx.Client, live: Service) -> None:
    made = upload(client, "short.txt", "The lamp is green.\n", collection="lamps")
    assert made["collection"] == "lamps"
    assert [one["id"] for one in client.get("/api/v1/documents?collection=lamps").json()["documents"]] == [made["id"]]
    renamed = client.patch(f"/api/v1/documents/{made['id']}", json={"title": "Lamps"})
    assert renamed.json()["title"] == "Lamps" == client.get(f"/api/v1/documents/{made['id']}").json()["title"]
    assert list((live.home / "uploads").glob("@lamps/*/short.txt"))
    assert client.delete(f"/api/v1/documents/{made['id']}").status_code == 204
    gone = client.get(f"/api/v1/documents/{made['id']}")
    assert (gone.status_code, gone.headers["content-type"]) == (404, PROBLEM)
    assert gone.json()["type"] == "urn:hmt-qa:problem:UnknownDocument"
    assert not (live.home / "uploads" / "@lamps").exists()


def test_no_folder_of_the_server_is_told(client: httpx.Client, live: Service) -> None:
    broken = client.post("/api/v1/documents", files={"file": ("broken.pdf", b"%PDF-1.7 no more than this")})
    assert broken.status_code == 202
    while client.get("/api/v1/jobs").json()["waiting"]:
        pass
    said = client.get("/api/v1/jobs")
    failed = next(job for job in said.json()["jobs"] if job["file"] == broken.json()["file"])
    assert (failed["state"], failed["resumable"]) == ("failed", False)
    assert failed["error"]
    for told in (said.text, client.get("/api/v1/documents").text):
        assert str(live.home) not in told


def test_an_answer_comes_whole_or_piece_by_piece(client: httpx.Client) -> None:
    asked = {"question": "Who keeps the mill?", "documents": [the(client, "mill.txt")["id"]]}
    whole = client.post("/api/v1/ask", json=asked)
    assert whole.status_code == 200
    stream = client.post("/api/v1/ask/stream", json=asked)
    assert stream.headers["content-type"].startswith("text/event-stream")
    told = events(stream.text)
    assert {kind for kind, _ in told[:-1]} <= {"piece", "queued"}
    kind, last = told[-1]
    assert kind == "answer"
    assert (last["answer"], last["citations"]) == (whole.json()["answer"], whole.json()["citations"])
    assert whole.json()["answer"]


def test_a_citation_is_the_text_of_its_page(client: httpx.Client) -> None:
    asked = {"question": "Who keeps the mill?", "documents": [the(client, "mill.txt")["id"]]}
    answer = client.post("/api/v1/ask", json=asked).json()
    assert answer["citations"]
    for cited in answer["citations"]:
        page = client.get(f"/api/v1/documents/{cited['document']}/pages/{cited['page']}").json()
        start, end = (cited[name] - page["char_start"] for name in ("char_start", "char_end"))
        assert page["text"][start : start + len(cited["quote"])][: end - start] == cited["quote"][: end - start]
        assert cited["quote"]


def test_a_citation_of_a_pdf_says_where_its_words_stand(client: httpx.Client) -> None:
    report = the(client, "The report")["id"]
    answer = client.post("/api/v1/ask", json={"question": "When does the ferry leave?", "documents": [report]}).json()
    cited = next(cited for cited in answer["citations"] if "ferry" in cited["quote"])
    said = [cited["quote"][box["char_start"] - cited["char_start"] :] for box in cited["boxes"]]
    assert any(words.startswith("ferry") for words in said)
    assert all(box["left"] < box["right"] and box["bottom"] < box["top"] for box in cited["boxes"])
    assert cited["boxes"][0]["page"] == cited["page"]


def test_places_are_ranked_and_pages_weighed(client: httpx.Client) -> None:
    places = client.post("/api/v1/search", json={"question": "Odile", "using": "keyword", "top": 3}).json()["results"]
    assert [place["rank"] for place in places] == list(range(1, len(places) + 1))
    assert all("Odile" in place["text"] for place in places)
    report = the(client, "The report")["id"]
    heat = client.get("/api/v1/heat", params={"question": "ferry", "document": report}).json()
    assert [page["page"] for page in heat["pages"]] == [1, 2, 3]
    assert sum(page["weight"] for page in heat["pages"]) == pytest.approx(1, abs=1e-5)


def test_a_pages_picture_shows_the_citation_marked(client: httpx.Client) -> None:
    report = the(client, "The report")["id"]
    page = client.get(f"/api/v1/documents/{report}/pages/2").json()
    start = page["char_start"] + page["text"].index("ferry")
    address = f"/api/v1/documents/{report}/pages/2/picture"
    plain, marked = client.get(address), client.get(address, params={"start": start, "end": start + 5})
    assert plain.headers["content-type"] == "image/png"
    assert max(Image.open(io.BytesIO(plain.content)).size) <= 1400
    assert yellow(plain.content) == 0
    assert yellow(marked.content) > 200


def yellow(png: bytes) -> int:
    """How many pixels are as yellow as the marker."""
    return sum(count for count, colour in Image.open(io.BytesIO(png)).getcolors(1 << 24) if colour == (255, 224, 102))


def test_what_has_no_picture_says_so(client: httpx.Client) -> None:
    mill, report = the(client, "mill.txt")["id"], the(client, "The report")["id"]
    for address, kind in [(f"{mill}/pages/1", "NoPicture"), (f"{report}/pages/99", "UnknownPage")]:
        answer = client.get(f"/api/v1/documents/{address}/picture")
        assert answer.status_code == 404
        assert answer.json()["type"].endswith(kind)
    assert client.get(f"/api/v1/documents/{report}/pages/0").status_code == 404


def test_a_file_that_is_another_by_now_is_not_shown(client: httpx.Client, live: Service) -> None:
    made = upload(client, "swapped.pdf", pdf(1, "Swapped"))
    (kept,) = (live.home / "uploads").glob("*/swapped.pdf")
    kept.write_bytes(pdf(1, "Another"))
    assert client.get(f"/api/v1/documents/{made['id']}/pages/1/picture").status_code == 404
    client.delete(f"/api/v1/documents/{made['id']}")


def test_a_cancelled_ingestion_goes_on_where_it_was(client: httpx.Client) -> None:
    file = client.post("/api/v1/documents", files={"file": ("long.txt", (MILL + "\f") * 60)}).json()["file"]
    job = None
    while job is None:
        running = client.get("/api/v1/jobs").json()["jobs"]
        job = next((one for one in running if one["file"] == file and one["segments_done"]), None)
    cancelled = client.post(f"/api/v1/jobs/{job['id']}/cancel")
    if cancelled.status_code == 202:  # else it was done already: nothing to see
        while (stopped := client.get(f"/api/v1/jobs/{job['id']}").json())["state"] == "running":
            pass
        assert stopped["state"] == "cancelled"
        assert client.post(f"/api/v1/jobs/{job['id']}/resume").status_code == 202
    while (done := client.get(f"/api/v1/jobs/{job['id']}").json())["state"] in {"running", "cancelled", "interrupted"}:
        assert done["segments_done"] >= job["segments_done"]
    assert (done["state"], done["fraction"]) == ("done", 1.0)
    assert client.post(f"/api/v1/jobs/{job['id']}/resume").status_code == 409
    client.delete(f"/api/v1/documents/{done['document']}")


def test_a_file_given_up_for_no_fault_of_its_own_is_tried_again(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Iterator[None]:
        raise RuntimeError("secret detail")

    with service(engine, tmp_path) as one, one.client() as client:
        with monkeypatch.context() as broken:
            broken.setattr(one.qa, "ingest", fail)
            file = client.post("/api/v1/documents", files={"file": ("lamp.txt", b"The lamp is green.")}).json()["file"]
            while not (said := client.get("/api/v1/jobs").json())["failures"]:
                pass
        assert said["failures"] == {file: INTERNAL_ERROR}
        assert client.post("/api/v1/jobs/retry", json={"file": "another"}).status_code == 404
        assert client.post("/api/v1/jobs/retry", json={"file": file}).status_code == 202
        while not client.get("/api/v1/documents").json()["documents"]:
            pass
        assert client.get("/api/v1/jobs").json()["failures"] == {}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v1/nothing", None, 404),
        ("DELETE", "/api/v1/health", None, 405),
        ("GET", "/api/v1/documents/ffffffffffff", None, 404),
        ("GET", "/api/v1/documents/..%2f..%2fetc%2fpasswd", None, 404),
        ("GET", "/api/v1/jobs/99999", None, 404),
        ("GET", "/api/v1/jobs/one", None, 422),
        ("POST", "/api/v1/ask", {"question": " "}, 422),
        ("POST", "/api/v1/ask", {"question": "x" * 5_000}, 413),
        ("POST", "/api/v1/ask", {"question": "word " * 200}, 422),
        ("POST", "/api/v1/ask", {"question": "a", "documents": ["ffffffffffff"]}, 404),
        ("POST", "/api/v1/ask", {"question": "a", "collection": "empty"}, 409),
        ("POST", "/api/v1/ask/stream", {"question": "a", "documents": ["ffffffffffff"]}, 404),
        ("POST", "/api/v1/ask/stream", {"question": "a", "collection": "empty"}, 409),
        ("POST", "/api/v1/ask", {"question": "a", "surprise": 1}, 422),
    ],
)
def test_what_cannot_be_done_is_a_problem_with_its_status(
    client: httpx.Client, method: str, path: str, body: object, status: int
) -> None:
    answer = client.request(method, path, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    assert problem["status"] == status
    assert problem["detail"]


def test_health_and_figures_are_told(client: httpx.Client) -> None:
    health = client.get("/api/v1/health").json()
    assert health["status"] == "ok"
    client.post("/api/v1/ask", json={"question": "Who keeps the mill?"})
    figures = client.get("/api/v1/metrics")
    assert figures.headers["content-type"].startswith("text/plain")
    assert 'hmt_qa_jobs{state="done"}' in figures.text
    assert "hmt_qa_waiting_questions 0.0" in figures.text
    assert "hmt_qa_answer_seconds_count" in figures.text


def test_a_file_above_the_quota_is_refused(engine: LocalEngine, tmp_path: Path) -> None:
    with service(engine, tmp_path, limits=Limits(upload_mb=1)) as small, small.client() as client:
        for size in (1_500_000, 4_000_000):
            refused = client.post("/api/v1/documents", files={"file": ("big.txt", b"a" * size)})
            assert refused.status_code == 413
        assert not list((tmp_path / "uploads").glob("*/*"))


def test_two_hundred_questions_at_once_wait_in_line_and_are_answered(live: Service) -> None:
    async def ask(client: httpx.AsyncClient, number: int) -> list[tuple[str, dict[str, object]]]:
        answer = await client.post("/api/v1/ask/stream", json={"question": f"Who keeps mill {number}?", "top": 1})
        assert answer.status_code == 200, answer.text
        return events(answer.text)

    async def everyone() -> list[list[tuple[str, dict[str, object]]]]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=live.address, timeout=300, limits=limits) as client:
            return await asyncio.gather(*(ask(client, number) for number in range(200)))

    with asyncio.Runner() as runner:
        told = runner.run(everyone())
    assert all(one[-1][0] == "answer" for one in told)
    most = max(data["before"] for one in told for kind, data in one if kind == "queued")  # type: ignore[type-var]
    assert most > 100  # type: ignore[operator]


def test_whoever_hangs_up_frees_the_model(engine: LocalEngine, tmp_path: Path) -> None:
    asked = {"question": "Who keeps the mill?"}
    with service(engine, tmp_path, says=Endless()) as one, one.client() as client:
        upload(client, "mill.txt", MILL)
        with pytest.raises(httpx.TimeoutException), one.client() as hasty:
            hasty.post("/api/v1/ask", json=asked, timeout=0.5)
        assert client.post("/api/v1/search", json=asked, timeout=30).status_code == 200
        with one.client() as hasty, hasty.stream("POST", "/api/v1/ask/stream", json=asked) as begun:
            assert next(begun.iter_text())
        assert client.post("/api/v1/search", json=asked, timeout=30).status_code == 200


class Endless:
    """Pieces of an answer that goes on for ever, at a pace that leaves others some air."""

    def __iter__(self) -> Iterator[str]:
        while True:
            time.sleep(0.005)
            yield "word "


def test_beyond_the_line_a_question_is_told_to_come_back(engine: LocalEngine, tmp_path: Path) -> None:
    with service(engine, tmp_path, limits=Limits(waiting=1)) as small, small.client() as client:
        upload(client, "mill.txt", MILL)

        async def everyone() -> list[httpx.Response]:
            async with httpx.AsyncClient(base_url=small.address, timeout=60) as many:
                asked = (many.post("/api/v1/ask", json={"question": "Who?"}) for _ in range(12))
                return await asyncio.gather(*asked)

        with asyncio.Runner() as runner:
            answers = runner.run(everyone())
    assert {answer.status_code for answer in answers} == {200, 429}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers if answer.status_code == 429)
