"""Word files: everything that is shown is in the text, in its order, on the pages that Word made."""

from __future__ import annotations

import zipfile
from pathlib import Path

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from PIL import Image

from hmt_qa.errors import CorruptFile, EmptyFile, EncryptedFile
from tests.hmt_ingest.opened import read, texts

LAID_OUT = f"<w:r {nsdecls('w')}><w:lastRenderedPageBreak/><w:t>%s</w:t></w:r>"


@pytest.fixture
def document():
    return docx.Document()


def saved(document, path: Path) -> Path:
    document.save(str(path))
    return path


def add(document, xml: str) -> None:
    """A paragraph with this content."""
    document.add_paragraph()._p.append(parse_xml(xml))


def test_paragraphs_and_tables_stand_in_their_order(document, tmp_path):
    document.add_paragraph("Before\tthe table")
    table = document.add_table(2, 3)
    for cell, text in zip(table._cells, ["Year", "Owls", "", "2020", "12\n13", ""], strict=True):
        cell.text = text
    document.add_paragraph("After it")
    document.core_properties.title = "Owls of Rügen"
    source, (page,) = read(saved(document, tmp_path / "a.docx"))
    assert page.text == "Before\tthe table\nYear | Owls\n2020 | 12 13\nAfter it\n"
    assert (page.label, source.title) == ("1", "Owls of Rügen")
    assert source.media_type.endswith("wordprocessingml.document")


def test_without_pages_the_text_is_cut_at_headings(document, tmp_path):
    document.add_paragraph("Preface")
    document.add_heading("Owls", 1)
    document.add_paragraph("An owl.")
    document.add_heading("In summer", 2)
    document.add_paragraph("A summer owl.")
    document.add_heading("At noon", 3)
    document.add_paragraph("No owl.")
    assert texts(saved(document, tmp_path / "a.docx")) == [
        ("1", "Preface\n"),
        ("Owls", "Owls\nAn owl.\n"),
        ("In summer", "In summer\nA summer owl.\nAt noon\nNo owl.\n"),
    ]


def test_pages_are_those_of_the_author_where_word_laid_none_out(document, tmp_path):
    document.add_paragraph("One")
    document.add_page_break()
    document.add_heading("Two", 1)
    document.add_page_break()
    document.add_page_break()
    document.add_paragraph("Four")
    assert texts(saved(document, tmp_path / "a.docx")) == [
        ("1", "One\n"), ("2", "Two\n"), ("3", ""), ("4", "Four\n"),
    ]  # fmt: skip


def test_pages_that_word_laid_out_count_alone_also_within_tables(document, tmp_path):
    document.add_paragraph("One")
    document.add_page_break()
    add(document, LAID_OUT % "Two")
    table = document.add_table(2, 1)
    table.cell(0, 0).text = "still two"
    table.cell(1, 0).paragraphs[0]._p.append(parse_xml(LAID_OUT % "three"))
    assert texts(saved(document, tmp_path / "a.docx")) == [("1", "One\n"), ("2", "Two\nstill two\n"), ("3", "three\n")]


def test_what_is_deleted_is_left_out_and_what_is_inserted_is_not(document, tmp_path):
    ns = nsdecls("w")
    add(document, f'<w:ins {ns} w:id="1" w:author="a"><w:r><w:t>new </w:t></w:r></w:ins>')
    add(document, f'<w:del {ns} w:id="2" w:author="a"><w:r><w:delText>old</w:delText></w:r></w:del>')
    add(document, f"<w:sdt {ns}><w:sdtContent><w:r><w:t>chosen</w:t></w:r></w:sdtContent></w:sdt>")
    add(document, f"<w:hyperlink {ns}><w:r><w:t>linked</w:t></w:r></w:hyperlink>")
    add(document, f"<w:r {ns}><w:t>co</w:t><w:noBreakHyphen/><w:t>op</w:t><w:br/><w:t>next line</w:t></w:r>")
    ((_, text),) = texts(saved(document, tmp_path / "a.docx"))
    assert text.split("\n") == ["new", "", "chosen", "linked", "co-op", "next line", ""]


def test_a_text_box_is_read_once(document, tmp_path):
    box = "<w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent>"
    mc = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    add(
        document,
        f'<w:r {nsdecls("w")} {mc}><mc:AlternateContent><mc:Choice Requires="wps">{box}</mc:Choice>'
        f"<mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r>",
    )
    ((_, text),) = texts(saved(document, tmp_path / "a.docx"))
    assert text.split() == ["boxed"]


def test_comments_are_read_too(document, tmp_path):
    paragraph = document.add_paragraph("Owls are small.")
    document.add_comment(paragraph.runs, text="Not all of them.", author="A", initials="A")
    assert texts(saved(document, tmp_path / "a.docx"))[-1] == ("comments", "Not all of them.\n")


def test_a_page_of_pictures_says_so(document, tmp_path):
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png")
    document.add_paragraph("Text")
    document.add_page_break()
    document.add_picture(str(tmp_path / "a.png"))
    _, pages = read(saved(document, tmp_path / "a.docx"))
    assert [(page.text, page.unread) for page in pages] == [("Text\n", ""), ("", "a picture")]


def test_what_cannot_be_read_is_told_apart(document, tmp_path):
    path = tmp_path / "a.docx"
    with pytest.raises(EmptyFile, match="holds no text"):
        read(saved(document, path))
    path.write_bytes(b"")
    with pytest.raises(EmptyFile, match="zero bytes"):
        read(path)
    path.write_bytes(b"PK\3\4 and nothing more")
    with pytest.raises(CorruptFile, match="no Word file"):
        read(path)
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99))
    with pytest.raises(CorruptFile, match="older format"):
        read(path)
    path.write_bytes(path.read_bytes() + "EncryptedPackage".encode("utf-16-le"))
    with pytest.raises(EncryptedFile, match="Save it without a password"):
        read(path)


def test_entities_are_not_expanded_and_nothing_is_fetched(document, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    document.add_paragraph("before MARK after")
    plain, hostile = saved(document, tmp_path / "a.docx"), tmp_path / "b.docx"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(hostile, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "word/document.xml":
                entity = f'<!DOCTYPE w [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'.encode()
                content = content.replace(b"?>", b"?>" + entity, 1).replace(b"MARK", b"&e;")
            target.writestr(name, content)
    ((_, text),) = texts(hostile)
    assert "before" in text
    assert "secret" not in text
