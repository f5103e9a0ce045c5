"""Which reader a file gets."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hmt_ingest.registry import Registry, installed_readers
from hmt_qa.errors import FileMissing, UnsupportedFile
from tests.hmt_ingest.papers import draw_pdf, prose


def test_readers_are_found_as_entry_points():
    names = {"docx", "epub", "html", "mail", "notebook", "pdf", "pptx", "table", "text", "xlsx"}
    assert names <= set(installed_readers().readers)


def test_finding_the_readers_loads_none_of_their_libraries():
    code = (
        "import sys; from hmt_ingest.registry import installed_readers; installed_readers()\n"
        "heavy = {'docx', 'pptx', 'openpyxl', 'lxml', 'selectolax', 'nbformat', 'pypdf', 'pypdfium2', 'tree_sitter'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "HEAVY []\n"


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("a.pdf", "pdf"),
        ("A.PDF", "pdf"),
        ("a.py", "text"),
        ("Makefile", "text"),
        ("a.unheardof", "text"),
        (".env", "text"),
        ("a.DOCX", "docx"),
        ("a.pptx", "pptx"),
        ("a.xlsx", "xlsx"),
        ("a.csv", "table"),
        ("a.tsv", "table"),
        ("a.html", "html"),
        ("a.epub", "epub"),
        ("a.eml", "mail"),
        ("a.ipynb", "notebook"),
        ("a.md", "text"),
        ("a.rst", "text"),
    ],
)
def test_suffixes_choose_and_everything_else_is_tried_as_text(tmp_path, name, reader):
    (tmp_path / name).write_text("words")
    assert installed_readers().reader_for(tmp_path / name).name == reader


def test_a_pdf_is_one_whatever_its_suffix(tmp_path):
    path = draw_pdf(tmp_path / "report.txt", prose(1))
    assert installed_readers().reader_for(path).name == "pdf"


def test_missing_files_and_missing_readers_are_named(tmp_path):
    with pytest.raises(FileMissing, match=r"missing\.txt"):
        installed_readers().reader_for(tmp_path / "missing.txt")
    (tmp_path / "a.txt").write_text("words")
    with pytest.raises(UnsupportedFile, match="Reinstall"):
        Registry({}).reader_for(tmp_path / "a.txt")
