"""The page as a person meets it, in Chromium."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from tests.hmt_ui import browser as web
from tests.hmt_ui.papers import pdf

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not web.CHROMIUM.exists(), reason=web.HOW_TO_INSTALL),
]

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)><img src='http://evil.example/a.png'> "
    "![b](http://evil.example/b.png) ${alert(3)} {{constructor}} `${alert(4)}` <a href='javascript:alert(5)'>c</a>"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("web") / "home"


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with web.server(home) as address:
        yield address


@pytest.fixture
def visit(chromium: web.Browser, address: str) -> Iterator[web.Visit]:
    with web.visit(chromium, address) as seen:
        yield seen
    assert seen.foreign == []
    assert seen.complaints == []


def test_an_empty_library_says_what_to_do(visit: web.Visit) -> None:
    assert "Drop a PDF" in visit.page.inner_text("#summary")
    visit.ask("Is anybody there?")
    visit.page.locator("#answer [role=alert]").wait_for()
    assert "no document to ask yet" in visit.page.inner_text("#answer")


def test_from_upload_over_progress_and_answer_to_a_page_reload(visit: web.Visit) -> None:
    visit.watch("#jobs", "progress")
    visit.upload({"mill.pdf": pdf(12, "The mill")})
    assert "12 pages" in visit.wait_for_job("mill.pdf", "done")
    moving = [int(n) for text in visit.watched("progress") for n in re.findall(r"(\d+) of 12 pages", text)]
    assert moving == sorted(moving)
    assert moving

    visit.page.locator("#documents label", has_text="The mill").wait_for()
    visit.watch("#answer", "answers")
    visit.ask("What stands beside the river?")
    visit.wait_for_sources()
    grown = [text.split("\n\n", 1)[-1] for text in visit.watched("answers")]
    assert grown[-1].strip(), "no answer was shown while it was written"  # a short one may come within one redrawing
    for source in visit.page.locator("#sources li").all():
        number = re.fullmatch(r"page (\d+)", source.locator(".hmt-page").inner_text())
        assert number
        assert re.search(rf"Sheet {number[1]}, row|stands beside", source.locator("blockquote").inner_text())
    assert re.search(r"resume .* recall .* first token .* total ", visit.page.inner_text("#sources"))

    visit.reload()
    assert "12 pages" in visit.wait_for_job("mill.pdf", "done")
    visit.page.locator("#documents label", has_text="The mill").wait_for()


def test_hostile_titles_names_and_text_stay_words(visit: web.Visit) -> None:
    named = "<img src=x onerror=alert(6)>${alert(7)}.txt"
    lamp = f"{HOSTILE}\nThe lamp is green.\n".encode()
    visit.upload({named: lamp, "title.pdf": pdf(1, HOSTILE, sentence=HOSTILE)})
    visit.wait_for_job("title.pdf", "done")
    visit.page.locator("#documents label", has_text="alert(5)").first.wait_for()
    visit.page.locator("#documents label", has_text="alert(5)").first.click()
    visit.ask(f"{HOSTILE} What is green?")
    visit.wait_for_sources()
    visit.page.click("#delete")
    visit.page.locator("#doomed li").wait_for()
    assert "onerror=alert(2)" in visit.page.inner_text("#doomed")
    visit.page.click("#keep")
    assert visit.page.locator("#library img, #asking img, #asking a, #library a").count() == 0


def test_a_file_that_cannot_be_read_says_why(visit: web.Visit, home: Path) -> None:
    file = io.BytesIO()
    canvas = Canvas(file, encrypt=StandardEncryption("secret"))
    canvas.drawString(50, 700, "locked")
    canvas.save()
    visit.upload({"locked.pdf": file.getvalue()})
    assert "locked.pdf is encrypted" in visit.wait_for_job("locked.pdf", "failed")
    assert str(home) not in visit.page.inner_text("body")
    assert not list((home / "uploads").glob("*/locked.pdf"))


def test_no_file_of_the_home_is_served(address: str, home: Path) -> None:
    (home / "uploads" / "own.txt").write_text("kept")
    for file in (home / "library.db", home / "uploads" / "own.txt", Path("/etc/passwd")):
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{address}gradio_api/file={file}", timeout=20)  # noqa: S310 - our own http:// address
        with refused.value as answer:
            assert answer.code in {403, 404}


def test_stop_ends_the_answer_where_it_is(visit: web.Visit) -> None:
    visit.upload({"stop.txt": b"The bridge is closed in winter. " * 40})
    visit.wait_for_job("stop.txt", "done")
    visit.page.locator("#documents label", has_text="stop").wait_for()
    visit.ask("When is the bridge closed?")
    visit.page.locator("button#stop:enabled").click()
    visit.page.locator("#sources", has_text="Stopped.").wait_for()
    written = visit.page.locator("#answer .hmt-answer").all_inner_texts()
    visit.page.wait_for_timeout(1000)
    assert visit.page.locator("#answer .hmt-answer").all_inner_texts() == written
    assert visit.page.locator("#sources li").count() == 0
    visit.ask("Which bridge?")
    visit.wait_for_sources()


def test_deleting_asks_first_and_takes_the_uploaded_copy_too(visit: web.Visit, home: Path) -> None:
    visit.upload({"gone.txt": b"The ferry leaves at noon.\n" * 5})
    visit.wait_for_job("gone.txt", "done")
    assert list((home / "uploads").glob("*/gone.txt"))
    visit.page.locator("#documents label", has_text="gone").click()
    visit.page.click("#delete")
    visit.page.click("#sure")
    visit.page.locator("#notice", has_text="Deleted").wait_for()
    visit.page.locator("#documents label", has_text="gone").wait_for(state="detached")
    assert not list((home / "uploads").glob("*/gone.txt"))
