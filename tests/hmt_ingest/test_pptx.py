"""PowerPoint files: a page a slide, whatever is on it."""

from __future__ import annotations

import pptx
import pytest
from PIL import Image
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from hmt_qa.errors import CorruptFile
from tests.hmt_ingest.opened import read, texts

PLACE = (Inches(1), Inches(1), Inches(4), Inches(3))
TITLE_AND_TEXT, TITLE_ONLY, BLANK = 1, 5, 6


@pytest.fixture
def slides():
    return pptx.Presentation()


def slide(slides, layout=BLANK):
    return slides.slides.add_slide(slides.slide_layouts[layout])


def test_a_slide_is_a_page_with_its_notes_even_if_nothing_is_on_it(slides, tmp_path):
    first = slide(slides, TITLE_AND_TEXT)
    first.shapes.title.text = "Owls"
    first.placeholders[1].text = "small\nlarge"
    first.notes_slide.notes_text_frame.text = "Do not whisper."
    slide(slides)
    slide(slides, TITLE_ONLY).shapes.title.text = "The end"
    slides.core_properties.title = "Owls of Rügen"
    slides.save(tmp_path / "a.pptx")
    source, pages = read(tmp_path / "a.pptx")
    assert [(page.label, page.text) for page in pages] == [
        ("slide 1", "Owls\nsmall\nlarge\n\nNotes: Do not whisper.\n"),
        ("slide 2", ""),
        ("slide 3", "The end\n"),
    ]
    assert source.title == "Owls of Rügen"
    assert not any(page.unread for page in pages)


def test_tables_charts_and_groups_are_text(slides, tmp_path):
    shapes = slide(slides).shapes
    table = shapes.add_table(2, 2, *PLACE).table
    for cell, text in zip(table.iter_cells(), ["Year", "Owls", "2020", "12"], strict=True):
        cell.text = text
    data = CategoryChartData()
    data.categories = ["Q1", "Q2"]
    data.add_series("Barn owls", (1, 2.5))
    data.add_series("Others", (3, None))
    shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *PLACE, data)
    group = shapes.add_group_shape()
    group.shapes.add_textbox(*PLACE).text_frame.text = "in a group"
    slides.save(tmp_path / "a.pptx")
    ((_, text),) = texts(tmp_path / "a.pptx")
    lines = text.split("\n")
    assert lines[:2] == ["Year | Owls", "2020 | 12"]
    assert {" | Q1 | Q2", "Barn owls | 1 | 2.5", "Others | 3", "in a group"} <= set(lines)


def test_a_slide_that_is_a_picture_says_so(slides, tmp_path):
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png")
    slide(slides).shapes.add_picture(str(tmp_path / "a.png"), *PLACE)
    slides.save(tmp_path / "a.pptx")
    _, (page,) = read(tmp_path / "a.pptx")
    assert (page.text, page.unread) == ("", "a picture")


def test_a_text_file_of_that_name_is_no_presentation(tmp_path):
    (tmp_path / "a.pptx").write_text("words")
    with pytest.raises(CorruptFile, match="no PowerPoint file"):
        read(tmp_path / "a.pptx")
