"""What is said of pages that showed something and had no characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmt_ingest.pages_seen import PagesSeen
from hmt_qa.errors import NoTextFound
from hmt_qa.types import Page


def seen(shown: list[str], path="a.pdf") -> PagesSeen:
    """Pages that show these things; `text` is text."""
    pages = PagesSeen(path)
    made = [
        Page(number=number, label="", text="words\n" if what == "text" else "", unread=what if what != "text" else "")
        for number, what in enumerate(shown, start=1)
    ]
    assert list(pages.passing(made)) == made
    return pages


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        (["text", "", "text"], ""),
        (["text", "a picture"], "Not read: page 2 shows a picture."),
        (["a picture", "a picture", "text", "a picture"], "Not read: pages 1-2, 4 show a picture."),
        (["a", "text", "b", "a"], "Not read: pages 1, 4 show a; page 3 shows b."),
    ],
)
def test_unread_pages_are_named_by_what_they_show(shown, says):
    pages = seen(shown)
    assert pages.report() == says
    pages.require_text()


def test_without_any_text_there_is_a_reason_and_a_remedy():
    with pytest.raises(NoTextFound, match=r"no text: it looks like a scan \(page 2 shows a picture\)\.") as one:
        seen(["", "a picture"]).require_text()
    assert "hmt-qa[ocr]" in one.value.remedy
    with pytest.raises(NoTextFound, match=r"1 page and no text\.") as other:
        seen([""]).require_text()
    assert "ocr" not in other.value.remedy


@given(st.lists(st.sampled_from(["text", "", *"abcdefgh"]), max_size=300))
def test_the_report_stays_short_and_counts_every_page(shown):
    report = seen(shown).report()
    assert len(report) < 1_500
    said = report.removeprefix("Not read: ")
    count = 0
    for part in filter(None, said.split("; ")):
        pages, _, more = part.split(" show")[0].removeprefix("pages ").removeprefix("page ").partition(" and ")
        for run in pages.split(", "):
            first, _, last = run.partition("-")
            count += int(last or first) - int(first) + 1
        count += int(more.split()[0]) if more else 0
    assert count == sum(what not in ("text", "") for what in shown)
