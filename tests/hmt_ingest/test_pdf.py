"""The PDF reader against files drawn for it."""

from __future__ import annotations

import numpy as np
import pypdfium2 as pdfium
import pytest
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from hmt_ingest.readers.hyphens import Vocabulary
from hmt_ingest.readers.pdf import PdfReader
from hmt_ingest.readers.titles import sensible_title
from hmt_qa.errors import CorruptFile, EmptyFile, EncryptedFile, FileMissing
from tests.hmt_ingest.papers import (
    draw_pdf,
    empty_page,
    lines,
    prose,
    rewritten,
    with_roman_front_matter,
    with_unicode_map,
    without_pages,
)


def read(path, password=None):
    with PdfReader().open(path, password=password) as source:
        pages = list(source)
        assert len(pages) == source.page_count
        return source, pages


def words_of(page):
    return [page.text[box.char_start : box.char_end] for box in page.boxes]


def test_lines_are_lines_and_every_word_has_its_box(tmp_path):
    path = draw_pdf(tmp_path / "a.pdf", lines("The quick brown fox", "jumps over 13 dogs."))
    _, (page,) = read(path)
    assert page.text == "The quick brown fox\njumps over 13 dogs.\n"
    assert words_of(page) == ["The", "quick", "brown", "fox", "jumps", "over", "13", "dogs."]
    assert (page.number, page.label, page.width, page.height) == (1, "1", 400, 300)
    fox, jumps = page.boxes[3], page.boxes[4]
    assert fox.bottom < 250 < fox.top
    assert jumps.top <= fox.bottom + 3
    assert jumps.left == pytest.approx(40, abs=1)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_boxes_lie_on_the_ink_of_the_page_as_shown(tmp_path, rotation):
    def draw(canvas: Canvas) -> None:
        lines("Alpha beta")(canvas)
        canvas.saveState()
        canvas.translate(300, 60)
        canvas.rotate(90)
        canvas.setFont("Times-Roman", 20)
        canvas.drawString(0, 0, "Upwards")
        canvas.restoreState()

    def turn(writer) -> None:
        writer.pages[0].rotate(rotation)
        writer.pages[0].cropbox.lower_left = (20, 30)

    path = rewritten(draw_pdf(tmp_path / "a.pdf", draw), turn)
    _, (page,) = read(path)
    assert (page.width, page.height) == ((380, 270) if rotation % 180 == 0 else (270, 380))
    assert sorted(words_of(page)) == ["Alpha", "Upwards", "beta"]
    with pdfium.PdfDocument(path) as document:
        ink = document[0].render(scale=1, grayscale=True).to_numpy().squeeze() < 128
    covered = np.zeros_like(ink)
    for box in page.boxes:
        rows = slice(max(0, int(page.height - box.top) - 1), int(page.height - box.bottom) + 2)
        columns = slice(max(0, int(box.left) - 1), int(box.right) + 2)
        assert ink[rows, columns].any(), page.text[box.char_start : box.char_end]
        covered[rows, columns] = True
    assert ink.any()
    assert not (ink & ~covered).any()


@pytest.mark.parametrize("page_turn", [0, 90, 180, 270])
@pytest.mark.parametrize("text_turn", [0, 90, 180, 270])
def test_lines_are_read_in_their_order_whichever_way_they_run(tmp_path, page_turn, text_turn):
    def draw(canvas: Canvas) -> None:
        canvas.translate(200, 150)
        canvas.rotate(text_turn)
        lines("First line", "second line", "third and last", left=-40, top=0)(canvas)

    path = rewritten(draw_pdf(tmp_path / "a.pdf", draw), lambda writer: writer.pages[0].rotate(page_turn))
    _, (page,) = read(path)
    assert page.text == "First line\nsecond line\nthird and last\n"
    assert (page.width, page.height) == ((400, 300) if page_turn % 180 == 0 else (300, 400))


def test_two_columns_are_read_one_after_the_other_when_drawn_so(tmp_path):
    def draw(canvas: Canvas) -> None:
        lines("left one", "left two")(canvas)
        lines("right one", "right two", left=220)(canvas)

    _, (page,) = read(draw_pdf(tmp_path / "a.pdf", draw))
    assert page.text.split() == "left one left two right one right two".split()


def test_ligatures_are_spelt_out_and_boxes_still_fit(tmp_path):
    path = draw_pdf(tmp_path / "a.pdf", lines("xnds the yow now"))
    _, (page,) = read(with_unicode_map(path, {"x": "FB01", "y": "FB02"}))
    assert page.text == "finds the flow now\n"
    assert words_of(page) == ["finds", "the", "flow", "now"]


def test_a_word_cut_at_a_line_end_is_made_whole_and_keeps_a_box_on_each_line(tmp_path):
    path = draw_pdf(tmp_path / "a.pdf", lines("We saw the partici-", "pation of all members", "and left."))
    _, (page,) = read(path)
    assert page.text == "We saw the participation\nof all members\nand left.\n"
    assert words_of(page)[3:6] == ["partici", "pation", "of"]
    assert page.boxes[3].bottom > page.boxes[4].bottom


def test_a_compound_cut_at_its_hyphen_keeps_it(tmp_path):
    path = draw_pdf(
        tmp_path / "a.pdf",
        lines("A long-term plan is a long-", "term plan; COVID-", "19 and owned by a borrower is borrower-", "owned."),
    )
    _, (page,) = read(path)
    assert page.text == "A long-term plan is a long-term\nplan; COVID-19\nand owned by a borrower is borrower-owned.\n"
    assert "long-" in words_of(page)


def test_a_hyphen_that_ends_the_page_stays(tmp_path):
    _, (first, second) = read(draw_pdf(tmp_path / "a.pdf", lines("An unfinished sen-"), lines("tence goes on.")))
    assert first.text == "An unfinished sen-\n"
    assert second.text == "tence goes on.\n"


def test_an_empty_page_has_no_text_and_no_boxes(tmp_path):
    _, pages = read(draw_pdf(tmp_path / "a.pdf", prose(1), empty_page, prose(3)))
    assert [bool(page.text) for page in pages] == [True, False, True]
    assert pages[1].boxes == ()
    assert [page.number for page in pages] == [1, 2, 3]


def test_labels_come_from_the_file(tmp_path):
    path = with_roman_front_matter(draw_pdf(tmp_path / "a.pdf", *map(prose, range(5))), front=3)
    _, pages = read(path)
    assert [page.label for page in pages] == ["i", "ii", "iii", "1", "2"]


def test_nothing_unprintable_reaches_the_text(tmp_path):
    odd = {"a": "0000", "b": "D800", "c": "FFFE", "d": "D83DDE00", "e": "0007", "f": "00AD", "h": "DC00", "i": "00A0"}
    path = draw_pdf(tmp_path / "a.pdf", lines("abcdefghij after", "xay xbx xcx xdx xex xfx xhx"))
    _, (page,) = read(with_unicode_map(path, odd))
    assert "\U0001f600" in page.text
    assert all(character.isprintable() or character == "\n" for character in page.text)
    assert not set(page.text) & {"\u00ad", "\u00a0", "\ufffe"}
    page.text.encode("utf-8")
    assert "\U0001f600" in "".join(words_of(page))
    assert "".join(words_of(page)) == "".join(page.text.split())


def test_an_encrypted_file_wants_its_password(tmp_path):
    path = rewritten(
        draw_pdf(tmp_path / "a.pdf", prose(1)),
        lambda writer: writer.encrypt("secret", "owner", algorithm="RC4-128"),
    )
    for password in (None, "wrong"):
        with pytest.raises(EncryptedFile, match=r"Give its password with --password\."):
            read(path, password)
    for password in ("secret", "owner"):
        assert "Page 1 line 0" in read(path, password)[1][0].text


def test_a_file_locked_only_against_changes_opens_silently(tmp_path):
    path = rewritten(
        draw_pdf(tmp_path / "a.pdf", prose(1)), lambda writer: writer.encrypt("", "owner", algorithm="RC4-128")
    )
    assert "Page 1 line 0" in read(path)[1][0].text


def test_damage_is_reported_or_survived_but_never_crashes(tmp_path):
    whole = draw_pdf(tmp_path / "a.pdf", *map(prose, range(6))).read_bytes()
    outcomes = set()
    for share in range(1, 20):
        path = tmp_path / f"cut{share}.pdf"
        path.write_bytes(whole[: len(whole) * share // 20])
        try:
            _, pages = read(path)
        except (CorruptFile, EmptyFile):
            outcomes.add("refused")
        else:
            assert all(page.number for page in pages)
            outcomes.add("read")
    assert "refused" in outcomes


def test_garbage_behind_the_magic_is_corrupt(tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 40)
    with pytest.raises(CorruptFile):
        read(path)


def test_a_page_that_pdfium_cannot_read_is_read_by_pypdf(tmp_path, monkeypatch):
    path = draw_pdf(tmp_path / "a.pdf", prose(1), prose(2), prose(3))
    load = pdfium.PdfDocument.get_page

    def stumble(document, index):
        if index == 1:
            raise pdfium.PdfiumError("Failed to load page.")
        return load(document, index)

    monkeypatch.setattr(pdfium.PdfDocument, "get_page", stumble)
    _, pages = read(path)
    assert [page.text.split("\n")[0][:6] for page in pages] == ["Page 1", "Page 2", "Page 3"]
    assert pages[1].boxes == ()
    assert (pages[1].width, pages[1].height) == (400, 300)


def test_a_file_that_pdfium_cannot_open_is_read_by_pypdf(tmp_path, monkeypatch):
    path = with_roman_front_matter(draw_pdf(tmp_path / "a.pdf", prose(1), prose(2), title="A study of owls"), front=1)

    def refuse(*_args, **_keywords):
        raise pdfium.PdfiumError("Failed to load document.", err_code=3)

    monkeypatch.setattr(pdfium, "PdfDocument", refuse)
    source, pages = read(path)
    assert source.title == "A study of owls"
    assert [page.label for page in pages] == ["i", "1"]
    assert pages[1].text.startswith("Page 2 line 0 tells")
    assert pages[1].text.endswith(".\n")


def test_zero_bytes_zero_pages_and_no_file_are_told_apart(tmp_path):
    (tmp_path / "none.pdf").touch()
    with pytest.raises(EmptyFile, match="zero bytes"):
        read(tmp_path / "none.pdf")
    with pytest.raises(EmptyFile, match="no pages"):
        read(without_pages(tmp_path / "zero.pdf"))
    with pytest.raises(FileMissing):
        read(tmp_path / "missing.pdf")


def test_the_title_is_the_stated_one_when_it_says_something(tmp_path):
    assert read(draw_pdf(tmp_path / "x.pdf", prose(1), title="Owls of Rügen"))[0].title == "Owls of Rügen"
    assert read(draw_pdf(tmp_path / "y.pdf", prose(1)))[0].title == "y"


@pytest.mark.parametrize(
    "stated",
    ["", "  ", "untitled", "Untitled-1", "(anonymous)", "Microsoft Word - R1", "report_final.docx", "Document1",
     "x.indd", "PowerPoint Presentation", "2023", "\x00\x01", "Slide 1"],
)  # fmt: skip
def test_titles_left_behind_by_programs_are_passed_over(stated):
    assert sensible_title(stated, "stem") == "stem"


@pytest.mark.parametrize("stated", ["Annual Report 2022", "Document Retrieval at Scale", "Page Fault", "10-K - Aurora"])
def test_titles_that_say_something_are_kept(stated):
    assert sensible_title(f" {stated}\n", "stem") == stated


def test_a_document_that_is_read_twice_reads_the_same(tmp_path):
    path = draw_pdf(tmp_path / "a.pdf", *map(prose, range(4)))
    with PdfReader().open(path) as source:
        assert list(source) == list(source)


def test_standard_fonts_measure_what_boxes_span(tmp_path):
    path = draw_pdf(tmp_path / "a.pdf", lines("wide wide", size=20))
    _, (page,) = read(path)
    width = pdfmetrics.stringWidth("wide", "Helvetica", 20)
    assert page.boxes[0].right - page.boxes[0].left == pytest.approx(width, abs=1.5)


def test_what_the_document_has_shown_decides_about_hyphens():
    words = Vocabulary()
    words.learn("The tenant owned a house. An over-the-counter deal in March; participation was high.")
    kept = [
        ("tenant", "owned"),
        ("in", "house"),
        ("over", "the-counter"),
        ("mid-of", "the"),
        ("Covid", "19"),
        ("A", "Z"),
    ]
    lost = [("partici", "pation"), ("per", "tinent"), ("exam", "ple")]
    assert [words.keeps_hyphen(*halves) for halves in kept] == [True] * len(kept)
    assert [words.keeps_hyphen(*halves) for halves in lost] == [False] * len(lost)
