"""Which reader a file gets."""

from __future__ import annotations

import os
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


THIRD_PARTY = """
from contextlib import contextmanager
from hmt_qa.types import Page

class Shouted:
    title, media_type, page_count = "Shouted", "text/shouted", 1

    def __init__(self, path):
        self.path = path

    def __iter__(self):
        yield Page(number=1, label="1", text=self.path.read_text().upper())

class ShoutingReader:
    name = "shouting"
    suffixes = frozenset({".shout"})

    @contextmanager
    def open(self, path, *, password=None):
        yield Shouted(path)
"""
INGEST = """
import sys
from pathlib import Path
from hmt_ingest.pipeline import FileIngestor
from hmt_qa.types import IngestOptions
from tests.hmt_ingest.fakes import FakeLibrary, HashEngine

library = FakeLibrary()
for result in FileIngestor().ingest(
    [Path(sys.argv[1])], options=IngestOptions(), library=library, engine=HashEngine(), on_progress=lambda job: None
):
    assert not result.error, result.error
(memory,) = library.memories.values()
print("".join(segment.text for segment in memory.segments), end="")
"""


def test_a_reader_of_somebody_else_is_found_and_run_in_a_child_too(tmp_path):
    (tmp_path / "shouting.py").write_text(THIRD_PARTY)
    about = tmp_path / "shouting-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[hmt_qa.readers]\nshouting = shouting:ShoutingReader\n")
    (tmp_path / "a.shout").write_text("owls are quiet\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    done = subprocess.run(
        [sys.executable, "-c", INGEST, str(tmp_path / "a.shout")],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout == "OWLS ARE QUIET\n"


def test_missing_files_and_missing_readers_are_named(tmp_path):
    with pytest.raises(FileMissing, match=r"missing\.txt"):
        installed_readers().reader_for(tmp_path / "missing.txt")
    (tmp_path / "a.txt").write_text("words")
    with pytest.raises(UnsupportedFile, match="Reinstall"):
        Registry({}).reader_for(tmp_path / "a.txt")
