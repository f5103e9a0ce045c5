"""The demo's book, read back from the file."""

from __future__ import annotations

import bisect
import hashlib
import inspect
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pypdfium2
import pytest
from pypdf import PdfReader

from hmt_ui.reference.docstrings import MODULES
from hmt_ui.reference.pdf import ReferenceSummary, write_reference_pdf

FEW = ("string", "bisect", "heapq", "graphlib")


class Book:
    """A written file with the text and the label of every page, as PDFium sees them."""

    def __init__(self, path: Path, summary: ReferenceSummary) -> None:
        self.path, self.summary = path, summary
        with pypdfium2.PdfDocument(path) as document:
            self.labels = [document.get_page_label(index) for index in range(len(document))]
            self.texts = [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in document]
            self.chapters = [(mark.get_title(), mark.get_dest().get_index()) for mark in document.get_toc()]

    def flat(self, index: int) -> str:
        return " ".join(self.texts[index].split())


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    path = tmp_path_factory.mktemp("reference") / "library.pdf"
    return Book(path, write_reference_pdf(path))


def test_it_is_a_long_book(book: Book) -> None:
    assert 320 <= book.summary.pages == len(book.texts) <= 450
    assert book.summary.characters > 400_000
    assert sum(map(len, book.texts)) > 400_000


def test_every_page_after_the_title_prints_the_number_that_its_label_says(book: Book) -> None:
    assert book.labels[:4] == ["i", "ii", "iii", "iv"]
    body = book.labels[book.labels.index("1") :]
    assert body == [str(number) for number in range(1, len(body) + 1)]
    for label, text in list(zip(book.labels, book.texts, strict=True))[2:]:
        assert label in text.splitlines()


def test_each_module_opens_a_chapter_with_its_name_as_heading_header_and_bookmark(book: Book) -> None:
    assert len(book.chapters) >= 50
    ends = [*(start for _, start in book.chapters[1:]), len(book.texts)]
    for (name, start), end in zip(book.chapters, ends, strict=True):
        assert name in MODULES
        assert book.texts[start].splitlines().count(name) >= 1
        for index in range(start, end):
            assert book.flat(index).startswith(f"{name} The Python Standard Library"), (name, index)
    assert all(first < second for (_, first), (_, second) in pairwise(book.chapters))


def test_the_contents_name_the_page_of_every_chapter(book: Book) -> None:
    contents = "\n".join(
        text for label, text in zip(book.labels, book.texts, strict=True) if label in {"iii", "iv", "v"}
    )
    printed = dict(re.findall(r"^(\S+)[ .]+(\d+)$", contents, re.MULTILINE))
    assert printed == {name: book.labels[start] for name, start in book.chapters}


def test_a_known_docstring_stands_on_the_pages_whose_header_names_its_module_and_nowhere_else(book: Book) -> None:
    sentence = " ".join((inspect.getdoc(bisect.bisect_left) or "").split("\n\n")[1].split())
    headed = [index for index in range(len(book.texts)) if book.texts[index].split()[:1] == ["bisect"]]
    assert headed
    assert [index for index in range(len(book.texts)) if sentence in book.flat(index)] == headed


def test_signatures_are_set_beside_the_names(book: Book) -> None:
    chapter = dict(book.chapters)
    assert f"bisect.bisect_left{inspect.signature(bisect.bisect_left)}" in book.flat(chapter["bisect"])
    assert any("class SequenceMatcher" in book.flat(chapter["difflib"] + page) for page in range(12))


def test_the_file_says_what_it_is(book: Book) -> None:
    reader = PdfReader(book.path)
    assert reader.metadata is not None
    assert reader.metadata.title == (
        f"The Python Standard Library: reference from its docstrings (Python {sys.version.split()[0]})"
    )
    assert len(reader.pages) == book.summary.pages
    assert reader.page_labels == book.labels


def test_no_glyph_is_missing_and_nothing_depends_on_the_run(book: Book) -> None:
    for text in book.texts:
        assert "\ufffd" not in text
        assert "\x00" not in text
        assert not re.search(r"at 0x[0-9a-f]{6,}", text)
        assert sys.prefix not in text


def test_no_line_leaves_the_page(book: Book) -> None:
    with pypdfium2.PdfDocument(book.path) as document:
        for index in range(0, len(document), 7):
            page = document[index]
            width, height = page.get_size()
            for shape in page.get_objects():
                left, bottom, right, top = shape.get_bounds()
                assert left >= 0
                assert bottom >= 0
                assert right <= width - 36, (index, right)
                assert top <= height


def test_the_same_interpreter_writes_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from hmt_ui.reference.pdf import write_reference_pdf;"
        "write_reference_pdf(Path(sys.argv[1]), modules=sys.argv[2:])"
    )
    digests = set()
    for seed in ("1", "2"):
        path = tmp_path / f"{seed}.pdf"
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", program, path, *FEW], check=True, env=environment, timeout=120)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    write_reference_pdf(tmp_path / "here.pdf", modules=FEW)
    digests.add(hashlib.sha256((tmp_path / "here.pdf").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_module_that_this_python_lacks_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "short.pdf"
    book = Book(path, write_reference_pdf(path, modules=["bisect", "no_such_module_here"]))
    assert [name for name, _ in book.chapters] == ["bisect"]


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        write_reference_pdf(tmp_path / "missing" / "book.pdf", modules=["bisect"])
