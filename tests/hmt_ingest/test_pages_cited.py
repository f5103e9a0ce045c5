"""A PDF whose every page says a known sentence, in every way that pages are set: each is cited from its own page."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from hmt_qa.app import DocumentQA
from hmt_qa.engine import LocalEngine
from hmt_qa.types import Citation, IngestStatus
from hmt_qa.writers.contract import Request
from tests.hmt_ingest.papers import Draw, draw_pdf, lines, rewritten, with_roman_front_matter, with_unicode_map
from tests.hmt_qa.library import open_qa
from tests.hmt_qa.models import save_with_tokenizer, tiny_hmt

ROTATIONS = {"upright": 0, "right": 90, "upside down": 180, "left": 270}
SETTINGS = ("plain", "columns", "hyphenated", "ligatures")
# Letters that the fonts of the file are told to be ligatures; no other word here has them.
LIGATURES = {"x": ("fi", "FB01"), "y": ("fl", "FB02"), "q": ("ffi", "FB03")}
ROMAN = ["i", "ii", "iii", "iv", "v", "vi"]
FILLER = "the harbour was calm and the boats came home."


class Told:
    """A reader that says what it was told to."""

    name = "told"
    says = ""

    def write(self, request: Request) -> Generator[str, None, None]:
        yield self.says


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> LocalEngine:
    """A tiny model with segments of 64 tokens: some pages are cut, some segments hold two."""
    model = tiny_hmt("qwen3", backbone={"vocab_size": 16384}, segment_length=64, sensory_length=4, recall_window=3)
    directory = save_with_tokenizer(model, tmp_path_factory.mktemp("checkpoints") / "tiny-64")
    return LocalEngine(directory, device="cpu", dtype="float32")


def sentence(number: int) -> str:
    return f"The office of number {number}{number}7 finds participation in the flow of {number}{number}3 crowns."


def drawing(number: int, setting: str) -> Draw:
    """The sentence among other lines, broken as the setting wants it."""
    said = sentence(number)
    if setting == "ligatures":
        for letter, (spelt, _) in sorted(LIGATURES.items(), key=lambda item: -len(item[1][0])):
            said = said.replace(spelt, letter)
    before, after = said.split(" of number ")[0], " of number " + said.split(" of number ")[1]
    broken = [before, after.strip()]
    if setting == "hyphenated":
        first, second = said.split("participation")
        broken = [f"{first}partici-", f"pation{second}"]

    def draw(canvas: Canvas) -> None:
        if setting == "columns":
            lines(*[FILLER[:22]] * 5, "and so on.", left=20, size=9)(canvas)
            words = said.split()
            lines(*(" ".join(words[at : at + 4]) for at in range(0, len(words), 4)), left=210, size=9)(canvas)
        else:
            lines(FILLER, *broken, FILLER, FILLER, left=20, size=9)(canvas)

    return draw


def made(folder: Path, pages: list[tuple[str, str]], front: int) -> Path:
    drawings = [drawing(number, setting) for number, (setting, _) in enumerate(pages, 1)]
    path = draw_pdf(folder / "kinds.pdf", *drawings)
    path = with_unicode_map(path, {letter: code for letter, (_, code) in LIGATURES.items()})

    def turn(writer) -> None:
        for page, (_, rotation) in zip(writer.pages, pages, strict=True):
            page.rotate(ROTATIONS[rotation])

    path = rewritten(path, turn)
    return with_roman_front_matter(path, front) if front else path


def boxed(qa: DocumentQA, citation: Citation) -> str:
    """The words that the citation's boxes are of, without white space; each box is one that its page has."""
    stored = {(box.left, box.bottom, box.right, box.top) for box in qa.boxes(citation.document, citation.page)}
    words = []
    for box in citation.boxes:
        assert box.page == citation.page
        assert any((box.left, box.bottom, box.right, box.top) == pytest.approx(of, abs=0.006) for of in stored)
        words.append(qa.library.text(citation.document, box.char_start, box.char_end))
    return "".join("".join(words).split())


page_kinds = st.tuples(st.sampled_from(SETTINGS), st.sampled_from(sorted(ROTATIONS)))


@settings(max_examples=4)
@given(pages=st.lists(page_kinds, min_size=2, max_size=6), front=st.integers(0, 2))
def test_every_page_of_every_kind_is_cited_by_its_number_label_words_and_boxes(engine, pages, front):
    told = Told()
    with TemporaryDirectory() as folder, open_qa(Path(folder), engine, reader=told) as qa:
        (result,) = qa.ingest([made(Path(folder), pages, front)])
        assert result.status is IngestStatus.INGESTED
        for number in range(1, len(pages) + 1):
            told.says = sentence(number)
            best = qa.ask(f"Which office of number {number}{number}7?", top=40).citations[0]
            assert best.supports
            assert best.page == number, pages[number - 1]
            assert best.page_label == (ROMAN[number - 1] if number <= front else str(number - front))
            assert best.quote == qa.library.text(best.document, best.char_start, best.char_end)
            assert f"{number}{number}" in best.quote
            assert " ".join(best.quote.split()) in sentence(number), pages[number - 1]
            assert "".join(best.quote.split()) in boxed(qa, best)


@pytest.mark.parametrize("rotation", sorted(ROTATIONS))
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_page_of_each_kind_says_its_sentence_whole(engine, tmp_path, setting, rotation):
    with open_qa(tmp_path, engine, reader=Told()) as qa:
        (result,) = qa.ingest([made(tmp_path, [(setting, rotation)], 0)])
        text = qa.library.text(result.document, 0, 10_000)
        assert sentence(1) in " ".join(text.split())
