"""The page over a hostile or a slow service, in Chromium: nothing is loaded from elsewhere, everything is reachable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from hmt_qa.engine import LocalEngine
from tests.hmt_ui import browser as web
from tests.hmt_ui.papers import pdf
from tests.hmt_ui.service.conftest import PASSWORD, Service, service, upload

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not web.CHROMIUM.exists(), reason=web.HOW_TO_INSTALL),
]

HOSTILE = (
    "<script>alert(1)</script><img src='http://evil.example/a.png' onerror=alert(2)> ![b](http://evil.example/b.png) "
    "<iframe src='http://evil.example/'></iframe> [c](javascript:alert(3)) <a href='http://evil.example/'>d</a>"
)
CODE = "".join(f"def step_{number}():\n    return {number}\n\n" for number in range(60))


@pytest.fixture(scope="module")
def hostile(engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose every answer attacks who reads it."""
    with service(engine, tmp_path_factory.mktemp("hostile"), says=(HOSTILE,)) as running_one:
        with running_one.client() as client:
            upload(client, "report.pdf", pdf(5, "The report", sentence="The ferry leaves at noon."))
            upload(client, "steps.py", CODE)
        yield running_one


@pytest.fixture
def visit(chromium: web.Browser, hostile: Service) -> Iterator[web.Visit]:
    with web.visit(chromium, hostile.address) as seen:
        yield seen
    assert seen.foreign == []
    assert seen.complaints == []


def choose(seen: web.Visit, title: str) -> None:
    seen.page.locator("#documents label", has_text=title).click()


def answered(seen: web.Visit, question: str) -> None:
    seen.ask(question)
    seen.page.locator("#answer", has_text=question).wait_for()
    seen.page.locator("#sources .hmt-strip").first.wait_for()
    seen.page.locator("button#ask:enabled").wait_for()


def test_an_answer_is_words_whatever_it_says(visit: web.Visit) -> None:
    answered(visit, "What does it say?")
    assert "<script>alert(1)</script>" in visit.page.inner_text("#answer")
    assert visit.page.locator("#asking img, #asking iframe, #asking a, #asking script").count() == 0


def test_a_citation_opens_its_page_with_the_place_marked(visit: web.Visit) -> None:
    choose(visit, "The report")
    answered(visit, "When does the ferry leave?")
    with visit.page.expect_response(lambda answer: "/picture?" in answer.url) as pictured:
        visit.page.locator("#sources .hmt-chip").first.click()
    assert pictured.value.status == 200
    picture = visit.page.locator(".hmt-viewer img")
    picture.wait_for()
    assert "of The report" in picture.get_attribute("alt")
    title = visit.page.inner_text("#hmt-viewer-title")
    visit.page.locator(".hmt-viewer button", has_text="As text").click()
    assert "Sheet" in visit.page.locator(".hmt-viewer mark").inner_text()
    step = "Next page" if "page 5 of" not in title else "Previous page"
    visit.page.locator(".hmt-viewer button", has_text=step).click()
    visit.page.wait_for_function(
        "before => document.querySelector('#hmt-viewer-title').innerText !== before", arg=title
    )
    visit.page.keyboard.press("Escape")
    assert visit.page.locator("dialog[open]").count() == 0


def test_code_is_shown_with_its_lines(visit: web.Visit) -> None:
    choose(visit, "steps.py")
    answered(visit, "Where is step 41?")
    visit.page.locator("#sources .hmt-chip").first.click()
    visit.page.locator(".hmt-viewer mark").wait_for()
    first = int(visit.page.locator(".hmt-gutter").inner_text().split()[0])
    assert first % 60 == 1
    words = visit.page.locator(".hmt-viewer pre").nth(1).inner_text()
    assert words.splitlines()[0] == CODE.splitlines()[first - 1]


def test_a_strip_has_a_cell_a_page_and_is_walked_with_the_keyboard(visit: web.Visit) -> None:
    choose(visit, "The report")
    answered(visit, "When does the ferry leave?")
    cells = visit.page.locator(".hmt-strip").first.locator(".hmt-cell")
    labels = [cell.get_attribute("aria-label") for cell in cells.all()]
    assert [label.split(",")[0] for label in labels] == [f"page {number}" for number in range(1, 6)]
    shares = [float(label.rpartition(" ")[2].rstrip("%")) for label in labels]
    assert sum(shares) == pytest.approx(100, abs=1)
    assert visit.page.locator(".hmt-cell[tabindex='0']").count() == 1
    visit.page.locator(".hmt-cell[tabindex='0']").focus()
    visit.page.keyboard.press("Home")
    visit.page.keyboard.press("ArrowRight")
    assert visit.page.evaluate("document.activeElement.dataset.page") == "2"
    visit.page.keyboard.press("Enter")
    visit.page.locator(".hmt-viewer[open]").wait_for()
    assert "page 2 of 5" in visit.page.inner_text("#hmt-viewer-title")


def test_conversations_are_taken_up_again_by_a_new_visitor(visit: web.Visit, hostile: Service) -> None:
    answered(visit, "Who asked first?")
    answered(visit, "And second?")
    assert "Who asked first?" in visit.page.inner_text("#earlier")
    visit.reload()
    assert "answer appears here" in visit.page.inner_text("#answer")
    visit.page.click("#history button")
    visit.page.click("#conversations input")
    visit.page.locator("[role=option]", has_text="Who asked first?").click()
    visit.page.locator("#answer", has_text="And second?").wait_for()
    assert "Who asked first?" in visit.page.inner_text("#earlier")
    kept = len(hostile.qa.conversations())
    visit.page.click("#forget")
    visit.page.locator("#answer", has_text="answer appears here").wait_for()
    assert len(hostile.qa.conversations()) == kept - 1


def test_an_answer_is_checked_and_the_outcome_stands_beside_its_sources(chromium: web.Browser, live: Service) -> None:
    with web.visit(chromium, live.address) as seen:
        choose(seen, "mill.txt")
        answered(seen, "Who keeps the mill?")
        seen.page.click("#check")
        seen.page.locator("#sources .hmt-checked, #verdict .hmt-notice").first.wait_for()
        assert "Checked: without it the answer stays the same" in seen.page.inner_text(
            "#sources"
        )  # it says one thing only
        seen.page.locator("#check").wait_for(state="hidden")
        assert barred(seen.page) == []


def test_a_document_is_renamed_and_a_collection_chosen(visit: web.Visit, hostile: Service) -> None:
    with hostile.client() as client:
        made = upload(client, "lamp.txt", "The lamp is green.\n", collection="lamps")
    choose(visit, "lamp.txt")
    visit.page.click("#rename")
    visit.page.fill("#title textarea, #title input", "Green lamps")
    visit.page.click("#retitle")
    visit.page.locator("#documents label", has_text="Green lamps").wait_for()
    visit.page.click("#collection input")
    visit.page.locator("[role=option]", has_text="lamps").click()
    visit.page.locator("#documents label", has_text="The report").wait_for(state="detached")
    assert visit.page.locator("#documents label").count() == 1
    with hostile.client() as client:
        assert client.delete(f"/api/v1/documents/{made['id']}").status_code == 204


def test_a_folder_is_chosen_read_as_a_tree_and_what_waits_is_cancelled(
    visit: web.Visit, hostile: Service, tmp_path: Path
) -> None:
    folder = tmp_path / "mill"
    files = {"src/gate.py": CODE + "gate = 1\n", "README.md": "# Gates", ".env": "A=1", ".git/config": "x"}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    with visit.page.expect_file_chooser() as choosing:
        visit.page.click("#folder")
    choosing.value.set_files(folder)
    visit.page.locator("#library [role=status]", has_text="mill: 2 files are read").wait_for()
    assert ".env (may hold secrets, by its name)" in visit.page.inner_text("#library")
    visit.wait_for_job("mill/src/gate.py", "done")
    visit.upload({"first.pdf": pdf(250, "The first"), "second.txt": b"The second lamp is green.\n" * 9})
    visit.page.locator("#jobs li.hmt-waiting", has_text="second.txt").locator("button").click()
    visit.page.locator("#jobs li", has_text="second.txt").wait_for(state="detached")
    visit.page.locator("#jobs li", has_text="first.pdf").locator("button", has_text="Cancel").click()
    visit.wait_for_job("first.pdf", "cancelled")
    (job,) = (job for job in hostile.qa.jobs() if job.path.endswith("first.pdf"))
    hostile.qa.discard(job.id)
    assert not list((hostile.home / "uploads").rglob("second.txt"))


def test_a_long_document_is_cancelled_survives_a_reload_goes_on_and_is_asked(visit: web.Visit) -> None:
    visit.watch("#jobs", "progress")
    visit.upload({"long.pdf": pdf(300, "The long report")})
    visit.page.locator("#jobs button", has_text="Cancel").click()
    visit.wait_for_job("long.pdf", "cancelled")
    moving = [int(n) for text in visit.watched("progress") for n in re.findall(r"(\d+) of 300 pages", text)]
    assert moving == sorted(moving)
    visit.reload()
    visit.wait_for_job("long.pdf", "cancelled")
    visit.page.locator("#jobs button", has_text="Resume").click()
    visit.wait_for_job("long.pdf", "reading")
    visit.reload()
    assert "300 pages" in visit.wait_for_job("long.pdf", "done")
    choose(visit, "The long report")
    answered(visit, "What is on sheet 250?")
    assert visit.page.locator(".hmt-strip .hmt-cell").count() == 300
    visit.page.locator("#sources .hmt-chip").first.click()
    visit.page.locator(".hmt-viewer img").wait_for()
    visit.page.keyboard.press("Escape")
    visit.page.click("#delete")
    visit.page.click("#sure")
    visit.page.locator("#documents label", has_text="The long report").wait_for(state="detached")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_bars_the_way_for_anybody(chromium: web.Browser, hostile: Service, scheme: str, width: int) -> None:
    with web.visit(chromium, hostile.address, viewport={"width": width, "height": 800}, color_scheme=scheme) as seen:
        answered(seen, "When does the ferry leave?")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert seen.page.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")
        assert barred(seen.page) == []
        seen.page.locator("#sources .hmt-chip").first.click()
        seen.page.locator(".hmt-viewer[open]").wait_for()
        assert barred(seen.page) == []


def barred(page: web.Page) -> list[str]:
    """What axe-core finds of serious or critical impact."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found if one["impact"] in {"serious", "critical"}
    ]


def test_a_user_logs_in_asks_own_documents_and_logs_out(chromium: web.Browser, guarded: Service) -> None:
    page = chromium.new_context().new_page()
    page.set_default_timeout(web.PATIENCE_SECONDS * 1000)
    page.goto(guarded.address)
    assert barred(page) == []
    page.fill("#name", "alice")
    page.fill("#password", PASSWORD)
    page.click("button")
    page.locator("#documents label", has_text="Alice's plan").wait_for()
    answered(web.Visit(page=page, address=guarded.address), "When does the vault open?")
    assert "vault opens at four" in page.locator("#sources blockquote").first.inner_text()
    assert [talk.title for talk in guarded.qa.owned_by("alice").conversations()] == ["When does the vault open?"]
    page.locator("button", has_text="Log out").click()
    page.locator("#password").wait_for()
    page.context.close()


def test_the_example_is_one_click_away(chromium: web.Browser, engine: LocalEngine, tmp_path: Path) -> None:
    with service(engine, tmp_path) as empty, web.visit(chromium, empty.address) as seen:
        seen.page.click("#example")
        seen.wait_for_job("python-reference-example.pdf", "done")
        assert "bisect_right" in seen.page.input_value("#question textarea")
        seen.page.locator("#example").wait_for(state="hidden")
