"""Pages of pictures: found one by one, and read where Tesseract is installed."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader

from hmt_ingest.readers import ocr
from tests.hmt_ingest.hostile import million_point_page
from tests.hmt_ingest.opened import read
from tests.hmt_ingest.papers import draw_pdf, empty_page, picture, prose, with_unicode_map

WORDS = ["The barn owl hunts", "at night near Stralsund"]


def scan(canvas) -> None:
    """Two lines of text as a scanner sees them."""
    image = Image.new("L", (1600, 1200), 250)
    font = ImageFont.load_default(72)
    for number, line in enumerate(WORDS):
        ImageDraw.Draw(image).text((160, 200 + 140 * number), line, 10, font)
    canvas.drawImage(ImageReader(image), 0, 0, 400, 300)


def white(canvas) -> None:
    """A rectangle over the whole page: one colour, nothing to see."""
    canvas.setFillGray(0.9)
    canvas.rect(-1, -1, 500, 400, fill=1, stroke=0)


@pytest.fixture
def without_tesseract(monkeypatch):
    monkeypatch.setattr(ocr, "_recogniser", lambda: None)


def unread(path) -> list[str]:
    return [page.unread.partition(" (")[0] for page in read(path)[1]]


@pytest.mark.usefixtures("without_tesseract")
def test_what_a_page_shows_without_characters_is_told_apart(tmp_path):
    path = draw_pdf(tmp_path / "a.pdf", prose(1), scan, empty_page, picture, white)
    assert unread(path) == ["", "a picture", "", "a drawing", ""]
    assert read(path)[1][1].unread == "a picture (text recognition is not installed)"


@pytest.mark.usefixtures("without_tesseract")
def test_text_in_a_font_without_characters_is_reported(tmp_path):
    path = draw_pdf(tmp_path / "a.pdf", lambda canvas: canvas.drawString(40, 200, "aaaa aaaa"))
    assert unread(with_unicode_map(path, {"a": "0000", " ": "0000"})) == ["text in a font without characters"]


@pytest.mark.usefixtures("without_tesseract")
def test_a_page_of_any_size_is_looked_at_cheaply(tmp_path):
    million_point_page(tmp_path / "a.pdf")
    assert unread(tmp_path / "a.pdf") == ["a drawing"]


needs_tesseract = pytest.mark.skipif(
    ocr._recogniser() is None, reason="no tesserocr or no language data (apt-get install tesseract-ocr-eng)"
)


@needs_tesseract
def test_a_scanned_page_is_read_and_its_words_have_boxes(tmp_path):
    _, (typed, page, drawn) = read(draw_pdf(tmp_path / "a.pdf", prose(1), scan, picture))
    assert typed.text.startswith("Page 1")
    assert page.text == "\n".join(WORDS) + "\n"
    assert (page.unread, drawn.unread, drawn.text) == ("", "a drawing", "")
    words = [page.text[box.char_start : box.char_end] for box in page.boxes]
    assert words == " ".join(WORDS).split()
    first = page.boxes[0]
    # 160 pixels from the left of 1600 are 40 points of 400; the line's top is 200 of 1200 below that of 300 points.
    assert first.left == pytest.approx(40, abs=4)
    assert first.top == pytest.approx(250, abs=10)
    assert first.bottom < first.top


@needs_tesseract
def test_a_scanned_page_of_any_size_is_recognised_within_bounds(tmp_path):
    path = draw_pdf(tmp_path / "a.pdf", lambda canvas: (canvas.scale(30, 30), scan(canvas)), size=(12_000, 9_000))
    assert "barn owl" in read(path)[1][0].text
