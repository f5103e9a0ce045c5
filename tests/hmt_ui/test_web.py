"""The page's parts without a browser: what is kept, shown, asked and let through."""

from __future__ import annotations

import asyncio
import re
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from hmt_qa import DocumentQA, types
from hmt_qa.errors import EmptyQuestion, HmtQaError
from hmt_qa.types import Answer, Citation, Job, JobState, Mode, PageWeight, Timings
from hmt_ui.binding import LOOPBACK_NAMES
from hmt_ui.placing import NAME_BYTES, discard, place, placed, safe_name, shown_name
from hmt_ui.service.guard import Guard
from hmt_ui.service.inbox import Waiting
from hmt_ui.service.limits import Limits
from hmt_ui.service.problems import INTERNAL_ERROR
from hmt_ui.service.server import open_desk, serve
from hmt_ui.service.visitor import Visitor
from hmt_ui.service.warming import Warming
from hmt_ui.web import answer_views, job_views, views
from hmt_ui.web.asking import NOTHING_TO_ASK, Turn, turns
from hmt_ui.web.mounting import theme
from hmt_ui.web.page import compose
from hmt_ui.web.shelf import Shelf
from hmt_ui.web.talk import Talk
from hmt_ui.web.words import duration

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PATIENCE_SECONDS = 60.0
UPLOADS = Path("/home/uploads")
OWNER = cast("Any", SimpleNamespace(state=SimpleNamespace(visitor=Visitor())))  # the request of whoever runs it


@pytest.fixture(scope="module")
def qa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentQA]:
    with DocumentQA.open(tmp_path_factory.mktemp("home"), device="cpu") as opened:
        yield opened


@pytest.fixture
def desk(qa: DocumentQA, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """Inbox and handlers over the shared library, with uploads of this test alone."""
    opened = open_desk(qa, uploads=tmp_path / "uploads", limits=Limits())
    yield SimpleNamespace(
        desk=opened, inbox=opened.inbox, shelf=Shelf(opened), talk=Talk(opened), uploads=tmp_path / "uploads", qa=qa
    )
    opened.inbox.stop()
    for document in qa.documents():
        qa.remove(document.id)


def arriving(folder: Path, name: str, text: str) -> Path:
    """A file as Gradio hands it over."""
    file = folder / "cache" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def listed(rows: list[Job], **others: Any) -> str:
    return job_views.jobs(rows, uploads=UPLOADS, **others)


def a_job(**changes: Any) -> Job:
    job = Job(
        id=1,
        path="/home/uploads/ab/report.pdf",
        collection="default",
        state=JobState.RUNNING,
        pages_done=10,
        pages_total=40,
        segments_done=20,
        tokens_done=5_000,
        tokens_per_second=500.0,
        started_at=NOW,
        updated_at=NOW + timedelta(seconds=75),
    )
    return replace(job, **changes)


def an_answer(**changes: Any) -> Answer:
    citation = Citation(
        document="d", title=HOSTILE, page=5, page_label="iv", char_start=0, char_end=9, quote=HOSTILE, weight=0.25
    )
    answer = Answer(
        text=HOSTILE,
        answerable=True,
        citations=(citation,),
        timings_ms=Timings(resume=3.21, recall=12.0, first_token=410.0, total=1234.0),
        model="hmt-small@1",
        mode=Mode.EVIDENCE,
    )
    return replace(answer, **changes)


# Placing


def test_an_upload_is_moved_to_a_folder_named_by_its_content(tmp_path: Path) -> None:
    upload = arriving(tmp_path, "report.txt", "one")
    kept = place(upload, tmp_path / "uploads")
    assert not upload.exists()
    assert (kept.name, kept.read_text(), kept.parent.parent) == ("report.txt", "one", tmp_path / "uploads")
    assert place(arriving(tmp_path, "report.txt", "one"), tmp_path / "uploads") == kept
    assert place(arriving(tmp_path, "report.txt", "two"), tmp_path / "uploads") != kept
    assert kept.stat().st_mode & 0o077 == 0
    other = place(arriving(tmp_path, "report.txt", "one"), tmp_path / "uploads", collection="a/b")
    assert other != kept
    assert [collection for _, collection in placed(tmp_path / "uploads")] == ["default", "default", "a/b"]
    assert shown_name(str(other), tmp_path / "uploads") == f"{kept.parent.name}/report.txt"
    assert shown_name("/elsewhere/report.txt", tmp_path / "uploads") == "report.txt"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("..", "document"),
        ("", "document"),
        (".bashrc", "bashrc"),
        ("a\x00b\n\u202efdp.exe", "abfdp.exe"),
        ('<img src="x">.txt', "_img src=_x__.txt"),
        ("Zürich – Übersicht.pdf", "Zürich – Übersicht.pdf"),
        (".part-x.pdf", "part-x.pdf"),
    ],
)
def test_a_file_name_becomes_a_plain_one(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.text(max_size=400))
def test_any_name_gives_a_name_that_stays_in_its_folder(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert Path(safe).name == safe
    assert not safe.startswith(".")
    assert len(safe.encode()) <= NAME_BYTES
    assert safe.isprintable() or " " in safe or not safe.isascii()


def test_only_kept_copies_can_be_discarded(tmp_path: Path) -> None:
    uploads, other = tmp_path / "uploads", tmp_path / "other" / "own.txt"
    kept = place(arriving(tmp_path, "a.txt", "x"), uploads)
    other.parent.mkdir()
    other.write_text("mine")
    assert not discard(str(other), uploads)
    assert not discard(str(uploads / "x" / ".." / ".." / "other" / "own.txt"), uploads)
    assert other.exists()
    assert discard(str(kept), uploads)
    assert not kept.parent.exists()


# The inbox


def test_two_uploads_are_read_one_after_the_other(desk: SimpleNamespace, tmp_path: Path) -> None:
    files = [str(arriving(tmp_path, f"{name}.txt", f"The {name} is open.\n" * 20)) for name in ("mill", "ferry")]
    emptied, notice = desk.shelf.upload(files, "", OWNER)
    assert (emptied, notice) == (None, "")
    most = 0
    while desk.inbox.waiting:
        most = max(most, sum(job.state is JobState.RUNNING for job in desk.qa.jobs()))
        time.sleep(0.01)
    assert most == 1
    assert {Path(document.path).name for document in desk.qa.documents()} == {"mill.txt", "ferry.txt"}
    _, notice = desk.shelf.upload([str(arriving(tmp_path, "mill.txt", "The mill is open.\n" * 20))], "", OWNER)
    assert "mill.txt is in the library already" in notice
    assert not desk.inbox.waiting


def test_an_unreadable_upload_leaves_a_reason_and_no_copy(desk: SimpleNamespace, tmp_path: Path) -> None:
    desk.shelf.upload([str(arriving(tmp_path, "broken.pdf", "%PDF-1.7 no more than this"))], "", OWNER)
    until(lambda: not desk.inbox.waiting)
    job = next(job for job in desk.qa.jobs() if job.path.endswith("broken.pdf"))
    assert job.state is JobState.FAILED
    shown = listed([job])
    assert "failed" in shown
    assert job.path not in shown
    assert list(placed(desk.uploads)) == []


def test_an_error_of_ours_is_logged_and_not_shown(
    desk: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> Iterator[None]:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(desk.qa, "ingest", fail)
    kept = desk.inbox.accept(arriving(tmp_path, "a.txt", "hello")).path
    until(lambda: desk.inbox.failures)
    assert desk.inbox.failures == {Waiting(kept, "default"): INTERNAL_ERROR}
    assert "secret detail" in caplog.text


def test_what_a_stopped_server_left_is_taken_up(qa: DocumentQA, desk: SimpleNamespace, tmp_path: Path) -> None:
    place(arriving(tmp_path, "left.txt", "The lamp burns.\n" * 9), desk.uploads)
    assert desk.inbox.take_up() == 1
    until(lambda: not desk.inbox.waiting)
    assert desk.inbox.take_up() == 0
    (document,) = qa.documents()
    assert document.path.endswith("left.txt")


# What is shown


def test_hostile_words_are_escaped_wherever_they_stand() -> None:
    answer = an_answer()
    kept = types.Turn(number=1, question=HOSTILE, answer=answer, asked_at=NOW)
    job = a_job(path=f"/x/{HOSTILE}", state=JobState.FAILED, error=HOSTILE)
    shown = [
        listed([job, a_job(path=HOSTILE)], waiting=[Path(HOSTILE + "w")], failures={HOSTILE + "f": HOSTILE}),
        views.notice(HOSTILE),
        views.deletion([HOSTILE]),
        answer_views.question(Turn(question=HOSTILE, text=HOSTILE, answer=answer)),
        answer_views.question(Turn(question=HOSTILE, problem=HOSTILE)),
        answer_views.sources(answer, {"d": [PageWeight(document=HOSTILE, page=1, page_label=HOSTILE, weight=1.0)]}),
        answer_views.earlier([kept]),
        views.header(HOSTILE),
        views.library([], collection=HOSTILE),
    ]
    for html in shown:
        assert "<script" not in html
        assert "<img" not in html
        assert "alert(" in html


def test_a_running_job_shows_its_own_counters() -> None:
    shown = listed([a_job()])
    assert 'value="25"' in shown
    assert "10 of 40 pages · 5,000 tokens · 500 tokens/s · about 30 s left" in shown
    assert "left" not in listed([a_job(pages_done=0)])
    assert "read in 1 min 15 s" in listed([a_job(state=JobState.DONE)])
    assert "progress" not in listed([a_job(state=JobState.DONE)])


def test_a_file_in_line_hides_what_became_of_it_before() -> None:
    failed = a_job(state=JobState.FAILED, error="no")
    assert "failed" not in listed([failed], waiting=[Path(failed.path)])
    assert "waiting" not in listed([a_job()], waiting=[Path(a_job().path)])


@pytest.mark.parametrize(
    ("label", "shown"), [("5", "page 5"), ("iv", "page 5, printed “iv”"), ("", "page 5"), ("lines 3-9", "lines 3-9")]
)
def test_a_citation_names_its_page_and_what_is_printed_there(label: str, shown: str) -> None:
    (citation,) = an_answer().citations
    assert answer_views.page(replace(citation, page_label=label)) == shown


def test_a_strip_is_as_high_as_the_question_looked_and_one_cell_is_reached_by_tab() -> None:
    pages = [
        PageWeight(document="d", page=page, page_label="", weight=weight)
        for page, weight in enumerate([0.64, 0.32, 0.04], 1)
    ]
    shown = answer_views.strip("Report", pages)
    assert re.findall(r"--heat:([\d.]+)", shown) == ["1.00", "0.71", "0.25"]
    assert re.findall(r'aria-label="(page [^"]+)"', shown) == ["page 1, 64.0%", "page 2, 32.0%", "page 3, 4.0%"]
    assert re.findall(r'tabindex="(-?\d)"', shown) == ["0", "-1", "-1"]


def test_in_a_very_long_document_neighbours_share_a_cell() -> None:
    pages = [PageWeight(document="d", page=page, page_label="", weight=page / 1e7) for page in range(1, 3_001)]
    shown = answer_views.strip("Report", pages)
    assert shown.count("<button") == 1_000
    assert 'aria-label="page 3,000 of 2,998-3,000' in shown


@pytest.mark.parametrize(
    ("changes", "button"),
    [
        ({}, "api/v1/jobs/1/cancel"),
        ({"cancel_requested": True}, ""),
        ({"state": JobState.CANCELLED}, "api/v1/jobs/1/resume"),
        ({"state": JobState.INTERRUPTED}, "api/v1/jobs/1/resume"),
        ({"state": JobState.DONE}, ""),
        ({"state": JobState.FAILED}, ""),
    ],
)
def test_a_job_has_the_button_for_what_can_be_done_with_it(changes: dict[str, Any], button: str) -> None:
    assert re.findall(r'data-post="([^"]+)"', listed([a_job(**changes)])) == ([button] if button else [])


def test_a_file_given_up_for_no_fault_of_its_own_can_be_tried_again() -> None:
    shown = listed([], failures={"/home/uploads/ab/report.pdf": "Internal error"})
    assert 'data-post="api/v1/jobs/retry" data-file="ab/report.pdf"' in shown


def test_a_file_in_line_can_be_cancelled_and_many_are_counted_rather_than_shown() -> None:
    in_line = [UPLOADS / "+mill" / "src" / f"{number}.py" for number in range(20)]
    shown = listed([], waiting=in_line)
    assert 'data-post="api/v1/jobs/withdraw" data-file="mill/src/0.py" aria-label="Cancel mill/src/0.py"' in shown
    assert shown.count("api/v1/jobs/withdraw") == job_views.WAITING_SHOWN + 1
    assert "and 12 more files" in shown
    assert 'data-post="api/v1/jobs/withdraw-all"' in shown


def test_timings_and_durations_are_readable() -> None:
    assert (
        answer_views.timings(an_answer().timings_ms)
        == "resume 3.2 ms · recall 12 ms · first token 410 ms · total 1.2 s"
    )
    assert [duration(seconds) for seconds in (0.2, 59, 61, 7_300)] == [
        "under 1 s",
        "59 s",
        "1 min 1 s",
        "2 h 1 min",
    ]


# Asking


def endless(closed: list[bool], error: Exception | None = None) -> Iterator[str | Answer]:
    """An answer that never ends by itself."""
    try:
        if error:
            raise error
        while True:
            yield "word "
    finally:
        closed.append(True)


def shown(desk: SimpleNamespace, stream: Iterator[str | Answer]) -> list[Turn]:
    """Every state of the turn that the page shows."""

    async def collected() -> list[Turn]:
        return [turn async for turn in turns(desk.desk, "Where?", stream)]

    with asyncio.Runner() as runner:
        return runner.run(collected())


def test_closing_the_turns_closes_the_models_stream(desk: SimpleNamespace) -> None:
    closed: list[bool] = []

    async def begun() -> list[str]:
        answering = turns(desk.desk, "Where?", endless(closed))
        texts = [(await anext(answering)).text, (await anext(answering)).text]
        await answering.aclose()
        return texts

    with asyncio.Runner() as runner:
        first, second = runner.run(begun())
    assert (first, second[:5]) == ("", "word ")
    until(lambda: closed)
    assert desk.desk.line.waiting == 0


def test_problems_are_one_line_and_surprises_are_not_told(
    desk: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    expected = shown(desk, endless([], EmptyQuestion("The question is empty.", remedy="Write one.")))[-1]
    assert expected.problem == "The question is empty. Write one."
    surprise = shown(desk, endless([], RuntimeError("secret detail")))[-1]
    assert surprise.problem == INTERNAL_ERROR
    assert "secret detail" in caplog.text


def test_an_answer_grows_and_ends_with_its_sources(desk: SimpleNamespace, tmp_path: Path) -> None:
    assert shown(desk, desk.qa.stream("Where?"))[-1].problem == NOTHING_TO_ASK
    desk.shelf.upload([str(arriving(tmp_path, "lamp.txt", "The lamp is kept by Odile.\n" * 4))], "", OWNER)
    until(lambda: not desk.inbox.waiting)

    async def asked() -> list[Any]:
        return [one async for one in desk.talk.ask("Who keeps the lamp?", [], "", "", Mode.EVIDENCE.value, 2.0, OWNER)]

    with asyncio.Runner() as runner:
        updates = runner.run(asked())
    first, last = updates[0], updates[-1]
    assert (first[3].interactive, first[4].interactive) == (False, True)
    assert (last[3].interactive, last[4].interactive) == (True, False)
    assert "lamp is kept by Odile" in updates[-2][1]
    assert "total" in updates[-2][1]


# Deleting, and what a poll sends


def test_deletion_names_the_titles_first_and_then_takes_the_copy_too(desk: SimpleNamespace, tmp_path: Path) -> None:
    desk.shelf.upload([str(arriving(tmp_path, "gone.txt", "The ferry leaves at noon.\n"))], "", OWNER)
    until(lambda: not desk.inbox.waiting)
    (document,) = desk.qa.documents()
    confirmation, words, _ = desk.shelf.question_delete([document.id], OWNER)
    assert confirmation.visible
    assert document.title in words
    _, chosen, notice = desk.shelf.delete([document.id], OWNER)
    assert chosen == []
    assert "Deleted" in notice
    assert list(placed(desk.uploads)) == []
    assert not desk.shelf.question_delete([document.id], OWNER)[0].visible
    assert "hmt-bad" in desk.shelf.delete([document.id], OWNER)[2]


def test_a_zip_is_dropped_as_the_folder_it_holds(desk: SimpleNamespace, tmp_path: Path) -> None:
    archive = arriving(tmp_path, "mill.zip", "")
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("mill-main/README.md", "mill-main/src/gate.txt", "mill-main/.env"):
            packed.writestr(name, f"The gate of {name} is red.\n")
    _, notice = desk.shelf.upload([str(archive)], "", OWNER)
    assert "mill-main: 2 files" in notice
    assert ".env (may hold secrets, by its name)" in notice
    until(lambda: len(desk.qa.documents()) == 2)
    titles = {views.choice(one, desk.inbox.uploads).splitlines()[1].split(" · ")[0] for one in desk.qa.documents()}
    assert titles == {"mill-main/README.md", "mill-main/src/gate.txt"}
    assert not archive.exists()
    (tmp_path / "cache/bad.zip").write_text("no zip")
    assert "bad.zip is damaged" in desk.shelf.upload([str(tmp_path / "cache/bad.zip")], "", OWNER)[1]


def test_a_title_is_given_to_one_document_and_is_never_empty(desk: SimpleNamespace, tmp_path: Path) -> None:
    files = [str(arriving(tmp_path, name, f"The {name} is red.\n")) for name in ("gate.txt", "door.txt")]
    desk.shelf.upload(files, "doors", OWNER)
    until(lambda: not desk.inbox.waiting)
    documents = desk.qa.documents(collection="doors")
    both = [document.id for document in documents]
    assert len(both) == 2
    assert "Choose one" in desk.shelf.question_rename(both, OWNER)[2]
    form, title, _ = desk.shelf.question_rename(both[:1], OWNER)
    assert (form.visible, title) == (True, documents[0].title)
    assert "hmt-bad" in desk.shelf.rename(both[:1], "  ", OWNER)[1]
    desk.shelf.rename(both[:1], " Red ", OWNER)
    assert desk.qa.document(both[0]).title == "Red"
    assert "hmt-bad" in desk.shelf.upload([str(arriving(tmp_path, "a.txt", "x"))], "a/b", OWNER)[1]


def test_a_conversation_goes_on_until_something_else_is_asked(desk: SimpleNamespace, tmp_path: Path) -> None:
    desk.shelf.upload([str(arriving(tmp_path, "lamp.txt", "The lamp is kept by Odile.\n" * 4))], "", OWNER)
    until(lambda: not desk.inbox.waiting)
    (document,) = desk.qa.documents()
    before = {one.id for one in desk.qa.conversations()}

    async def asked(question: str, chosen: list[str], kept: str) -> list[Any]:
        asking = desk.talk.ask(question, chosen, "", kept, Mode.EVIDENCE.value, 2.0, OWNER)
        return [one async for one in asking]

    with asyncio.Runner() as runner:
        first = runner.run(asked("Who keeps the lamp?", [], ""))[-1][6]
        assert runner.run(asked("And who lights it?", [], first))[-1][6] == first
        other = runner.run(asked("Who?", [document.id], first))[-1][6]
        assert other != first
        assert [turn.number for turn in desk.qa.turns(first)] == [1, 2]
        runner.run(asked(" ", [], ""))
        assert {one.id for one in desk.qa.conversations()} == {first, other} | before, "an empty question left one"
        answer, sources, earlier, check, kept = runner.run(desk.talk.take_up(first, OWNER))
    assert "And who lights it?" in answer
    assert "hmt-strip" in sources
    assert "Who keeps the lamp?" in earlier
    assert kept == first
    assert check.visible == ("hmt-none" not in answer)
    desk.talk.forget(first, OWNER)
    assert {one.id for one in desk.qa.conversations()} == {other} | before


def test_a_poll_sends_only_what_changed_and_keeps_the_choice(desk: SimpleNamespace, tmp_path: Path) -> None:
    desk.shelf.upload([str(arriving(tmp_path, "kept.txt", "The gate is red.\n"))], "", OWNER)
    until(lambda: not desk.inbox.waiting)
    (document,) = desk.qa.documents()
    *_, choice, _, _, _, _, seen = desk.shelf.refresh("", [document.id, "gone"], "", OWNER)
    assert choice.value == [document.id]
    assert choice.choices[0][0].splitlines()[1].startswith("1 page · ")
    again = desk.shelf.refresh(seen, [document.id], "", OWNER)
    assert all(update == {"__type__": "update"} for update in again)


# The page and its server


@pytest.fixture
def event_loops(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Closes the event loops that Gradio makes with each page and leaves behind."""
    made: list[asyncio.AbstractEventLoop] = []
    new_event_loop = asyncio.new_event_loop

    def remembered() -> asyncio.AbstractEventLoop:
        made.append(new_event_loop())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", remembered)
    yield
    asyncio.set_event_loop(None)
    for loop in made:
        loop.close()


def test_no_handler_is_part_of_an_api_and_nothing_phones_home(desk: SimpleNamespace, event_loops: None) -> None:
    page = compose(desk.desk)
    assert page.analytics_enabled is False
    assert page.fns
    assert {fn.api_visibility for fn in page.fns.values()} == {"private"}
    assert theme()._stylesheets == []


def test_an_address_beyond_this_machine_is_refused(qa: DocumentQA, tmp_path: Path) -> None:
    with pytest.raises(HmtQaError, match="no users"):
        serve(qa, host="0.0.0.0", port=1, uploads=tmp_path)  # noqa: S104 - refused


async def _inner(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse(Request(scope).url.path)(scope, receive, send)


def fetch(path: str, **headers: str) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(Guard(_inner, hosts=LOOPBACK_NAMES))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860") as client:
            return await client.get(path, headers=headers)

    with asyncio.Runner() as runner:
        return runner.run(once())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:7860"}, 200),
        ({"host": "[::1]:7860"}, 200),
        ({"origin": "http://127.0.0.1:7860"}, 200),
        ({"host": "rebound.example:7860"}, 403),
        ({"host": "[::1"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_only_the_page_itself_may_talk_to_its_server(headers: dict[str, str], status: int) -> None:
    assert fetch("/", **headers).status_code == status


def test_the_browser_is_told_to_load_nothing_from_elsewhere() -> None:
    policy = fetch("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert fetch("/gradio_api/proxy=http://evil.example/").status_code == 404
    assert fetch("/gradio_api/info").status_code == 404
    assert fetch("/gradio_api/file=/etc/passwd").status_code == 404


def test_the_model_is_loaded_once_however_many_wait() -> None:
    loads: list[int] = []

    def warm_up() -> None:
        loads.append(1)
        time.sleep(0.05)
        raise HmtQaError("no model")

    warming = Warming(cast("DocumentQA", SimpleNamespace(warm_up=warm_up)))
    waiting = [threading.Thread(target=warming.wait) for _ in range(4)]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join(5)
    assert warming.over
    assert loads == [1]
