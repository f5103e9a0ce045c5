"""Documents are read by children that may not take more than they are given, and whose ends are understood."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import psutil
import pytest

from hmt_ingest.border import shared_sandbox
from hmt_ingest.sandbox.opening import Sandbox
from hmt_qa.errors import CorruptFile, EncryptedFile, FileMissing, FileProblem, ParsingStopped
from hmt_qa.types import Page, ParsingLimits
from tests.hmt_ingest.sandbox import odd_readers as odd

SOON = ParsingLimits(memory_mb=200, page_seconds=1, total_seconds=20)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    box = Sandbox()
    yield box
    box.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a.odd").write_text("first\nsecond\nthird\n")
    return tmp_path / "a.odd"


def read(
    sandbox: Sandbox, reader: odd.OddReader, path: Path, *, limits: ParsingLimits = SOON, password: str | None = None
) -> list[Page]:
    with sandbox.open(reader, path, limits=limits, password=password) as text:
        return list(text)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_document_comes_through_as_its_reader_gave_it(sandbox, path):
    with sandbox.open(odd.Echoing(), path, limits=SOON, password="sesame") as text:  # noqa: S106
        assert (text.title, text.media_type, text.page_count) == ("A title", "text/odd", 3)
        assert [page.text for page in text] == ["first\n", "second\n", "third\n"]
        assert [page.label for page in text] == ["p1", "p2", "p3"]


def test_two_passes_at_once_do_not_mix(sandbox, path):
    with sandbox.open(odd.Echoing(), path, limits=SOON, password="sesame") as text:  # noqa: S106
        pairs = [(one.text, other.text) for one, other in zip(text, text, strict=True)]
    assert pairs == [("first\n", "first\n"), ("second\n", "second\n"), ("third\n", "third\n")]


def test_a_pass_that_was_left_early_does_not_disturb_the_next(sandbox, path):
    with sandbox.open(odd.Endless(), path, limits=SOON) as text:
        for _ in range(3):
            assert [page.text.split()[0] for page in islice(text, 4)] == ["0", "1", "2", "3"]


def test_everything_of_a_page_survives_and_what_is_no_text_is_replaced_one_for_one(sandbox, path):
    with sandbox.open(odd.Boxed(), path, limits=SOON) as text:
        (page,) = text
        assert text.title == "half \ufffd a title"
    sent = odd.Boxed.PAGE
    assert page.text == "Größe \ufffd und \ufffd Maß 😀\n"
    assert page.label == "iv \ufffd"
    for name in ("number", "width", "height", "boxes", "borders", "unread"):
        assert getattr(page, name) == getattr(sent, name)


def test_errors_of_the_reader_keep_their_kind_and_their_remedy(sandbox, path):
    with pytest.raises(EncryptedFile) as caught:
        read(sandbox, odd.Echoing(), path)
    assert (caught.value.message, caught.value.remedy) == ("a.odd is encrypted.", "Give the word.")
    assert caught.value.subject == str(path)
    from hmt_ingest.readers.text import TextReader

    with pytest.raises(FileMissing):
        read(sandbox, TextReader(), path.with_name("missing.txt"))


def test_what_a_reader_stumbles_over_is_a_corrupt_file_and_says_where(sandbox, path):
    with sandbox.open(odd.Stumbling(), path, limits=SOON) as text:
        pages = iter(text)
        assert next(pages).text == "one\n"
        with pytest.raises(CorruptFile, match=r"KeyError while parsing \(odd_readers\.py:\d+\)"):
            next(pages)


@pytest.mark.parametrize(
    ("reader", "says"),
    [
        (odd.Sleeping(), "took more than 5 seconds on page 2"),
        (odd.Spinning(), "took more than 1 seconds of processor time on page 3"),
        (odd.Hungry(), "needs more than 200 MB"),
        (odd.Crashing(), r"made its parser crash on page 2 \(SIGSEGV\)"),
        (odd.Leaving(), r"made its parser crash on page 2 \(exit code 3\)"),
        (odd.Babbling(), "made its parser misbehave on page 2"),
        (odd.Skipping(), "made its parser misbehave on page 2"),
        (odd.Boasting(), "claims to have 2,000,000,000 pages"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, odd.OddReader) else "",
)
def test_a_child_that_goes_wrong_is_one_clear_error_and_the_next_document_is_read(sandbox, path, reader, says):
    with pytest.raises(ParsingStopped, match=says) as caught:
        read(sandbox, reader, path)
    assert "a.odd" in caught.value.message
    assert len(read(sandbox, odd.Echoing(), path, password="sesame")) == 3  # noqa: S106


def test_a_long_document_may_take_more_time_than_one_page(sandbox, path):
    assert len(read(sandbox, odd.Diligent(), path)) == 4


def test_the_total_time_is_limited_too(sandbox, path):
    with pytest.raises(ParsingStopped, match="took more than 2 seconds of processor time in all"):
        read(sandbox, odd.Diligent(), path, limits=ParsingLimits(page_seconds=1, total_seconds=2))


@pytest.mark.parametrize(("characters", "fits"), [(200_000, True), (200_001, False)])
def test_a_page_is_only_so_long(sandbox, path, characters, fits):
    path.write_text(str(characters))
    if fits:
        assert len(read(sandbox, odd.Swelling(), path)[0].text) == characters
    else:
        with pytest.raises(ParsingStopped, match="more text on page 1 than anybody sets on one"):
            read(sandbox, odd.Swelling(), path)


def test_text_without_end_is_no_document(sandbox, path):
    with (
        sandbox.open(odd.Endless(), path, limits=SOON) as text,
        pytest.raises(ParsingStopped, match="far more text than its size allows for"),
    ):
        deque(text, maxlen=0)


def test_only_so_many_blank_pages_stand_in_a_row(sandbox, path):
    path.write_text("10000")
    assert len(read(sandbox, odd.Blank(), path)) == 10_001
    path.write_text("10001")
    with pytest.raises(ParsingStopped, match="more than 10,000 pages in a row without text"):
        read(sandbox, odd.Blank(), path)


def test_the_child_waits_while_nobody_takes_its_pages(sandbox, path):
    with sandbox.open(odd.Endless(), path, limits=SOON) as text:
        pages = iter(text)
        next(pages)
        time.sleep(0.5)
        asked_again = time.monotonic()
        ahead = sum(1 for page in islice(pages, 5_000) if float(page.text.split()[1]) < asked_again)
    assert ahead < 1_000


def test_the_child_knows_nothing_of_the_model_and_of_our_secrets(sandbox, path, monkeypatch):
    monkeypatch.setenv("HMT_QA_PASSWORD", "secret")
    box = Sandbox()
    about = json.loads(read(box, odd.Telling(), path)[0].text)
    box.close()
    assert about["modules"] == []
    assert "HMT_QA_PASSWORD" not in about["environment"]
    assert "secret" not in json.dumps(about["environment"])


def test_the_child_is_limited_has_its_own_group_and_no_file_of_ours(sandbox, path):
    about = json.loads(read(sandbox, odd.Telling(), path)[0].text)
    memory = about["limits"]["RLIMIT_AS"]
    assert 200 << 20 < memory[0] == memory[1] < 1 << 30
    assert about["limits"]["RLIMIT_CORE"] == [0, 0]
    assert about["limits"]["RLIMIT_CPU"][1] == 20
    assert about["group"] == about["pid"]
    assert set(about["files"]) <= {0, 1, 2, 3, 4}  # 4: the listing itself


def test_limits_that_are_lower_already_stay(path):
    code = (
        "import resource, sys; from pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (15, 15)); resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))\n"
        "from tests.hmt_ingest.sandbox.test_opening import *\n"
        "box = Sandbox(); print(read(box, odd.Telling(), Path(sys.argv[1]))[0].text); box.close()"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, check=True, env=environment)
    limits = json.loads(done.stdout)["limits"]
    assert (limits["RLIMIT_CPU"][1], limits["RLIMIT_NOFILE"]) == (15, [50, 50])


def test_where_no_process_can_be_had_the_document_fails_clearly(path, monkeypatch):
    box = Sandbox()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ParsingStopped, match=r"could not be given a process to be parsed in \(No such file"):
        read(box, odd.Echoing(), path)
    monkeypatch.undo()
    assert len(read(box, odd.Echoing(), path, password="sesame")) == 3  # noqa: S106
    box.close()


def test_the_child_cannot_write(sandbox, path):
    with pytest.raises(FileProblem):
        read(sandbox, odd.Writing(), path)
    assert path.read_text() == "first\nsecond\nthird\n"


def test_a_child_that_is_not_needed_any_more_ends_with_all_it_started(sandbox, path):
    with sandbox.open(odd.Sleeping(), path, limits=ParsingLimits()) as text:
        child, program = map(int, next(iter(text)).text.split())
    wait_until(lambda: is_gone(child) and is_gone(program))


class Enough(Exception):
    """What somebody who waits may raise."""


def test_whoever_waits_for_a_page_may_stop_waiting(sandbox, path):
    def stop() -> None:
        raise Enough

    with sandbox.open(odd.Sleeping(), path, limits=ParsingLimits()) as text:
        pages = iter(text)
        child, program = map(int, next(pages).text.split())
        text.while_waiting = stop
        with pytest.raises(Enough):
            next(pages)
    wait_until(lambda: is_gone(child) and is_gone(program))


def test_a_program_that_a_child_leaves_behind_ends_too(sandbox, path):
    with sandbox.open(odd.Abandoning(), path, limits=SOON) as text:
        pages = iter(text)
        program = int(next(pages).text)
        with pytest.raises(ParsingStopped, match="exit code 0"):
            next(pages)
    wait_until(lambda: is_gone(program))


def test_a_fork_server_that_was_killed_is_replaced(path):
    box = Sandbox()
    assert len(read(box, odd.Echoing(), path, password="sesame")) == 3  # noqa: S106
    with box.open(odd.Sleeping(), path, limits=ParsingLimits()) as text:
        pages = iter(text)
        child, program = map(int, next(pages).text.split())
        first = box.server_pid
        os.kill(first, signal.SIGKILL)
        with pytest.raises(ParsingStopped, match="lost its parser on page 2"):
            next(pages)
        wait_until(lambda: is_gone(child))
        os.kill(program, signal.SIGKILL)
    assert len(read(box, odd.Echoing(), path, password="sesame")) == 3  # noqa: S106
    assert box.server_pid != first
    box.close()


KILLED = """
import sys, time
from pathlib import Path
from hmt_ingest.sandbox.opening import Sandbox
from hmt_qa.types import ParsingLimits
from tests.hmt_ingest.sandbox.odd_readers import Sleeping

box = Sandbox()
with box.open(Sleeping(), Path(sys.argv[1]), limits=ParsingLimits()) as text:
    print(box.server_pid, next(iter(text)).text, flush=True)
    time.sleep(1000)
"""


def test_nothing_outlives_a_process_of_ours_that_is_killed(path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    pids = list(map(int, process.stdout.readline().split()))
    process.kill()
    process.communicate()
    assert len(pids) == 3
    wait_until(lambda: all(map(is_gone, pids)))


def test_threads_may_open_documents_at_once(sandbox, tmp_path):
    seen: dict[int, list[str]] = {}

    def read_one(number: int) -> None:
        file = tmp_path / f"{number}.odd"
        file.write_text("".join(f"{number} {line}\n" for line in range(40)))
        for _ in range(10):
            with sandbox.open(odd.Endless(), file, limits=SOON) as text:
                next(iter(text))  # left early: that child is killed while others are born and end
            read(sandbox, odd.Echoing(), file, password="sesame")  # noqa: S106
        seen[number] = [page.text for page in read(sandbox, odd.Echoing(), file, password="sesame")]  # noqa: S106

    threads = [threading.Thread(target=read_one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {number: [f"{number} {line}\n" for line in range(40)] for number in range(8)}


def test_a_process_has_one_sandbox_of_its_own():
    assert shared_sandbox() is shared_sandbox()


def test_a_name_that_is_no_unicode_reaches_the_child(sandbox, tmp_path):
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.odd"))
    file.write_text("words\n")
    assert [page.text for page in read(sandbox, odd.Echoing(), file, password="sesame")] == ["words\n"]  # noqa: S106
