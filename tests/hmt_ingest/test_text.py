"""Text files: encodings, blocks, titles, and what is no text."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hmt_ingest.readers.blocks import CHARACTERS, LINES, split_blocks
from hmt_ingest.readers.text import TextReader
from hmt_qa.errors import EmptyFile, FileMissing, UnsupportedFile


def read(path):
    with TextReader().open(path) as source:
        pages = list(source)
        assert len(pages) == source.page_count
        assert [page.number for page in pages] == list(range(1, len(pages) + 1))
        return source, pages


def joined(pages):
    return "".join(page.text for page in pages)


LINE = st.text(st.sampled_from("ab é漢😀\f\t"), max_size=30)
LONG = st.builds(lambda unit, count: unit * count, st.sampled_from(["x", "word ", "é\n"]), st.integers(0, 20_000))
TEXTS = st.lists(LINE | LONG, max_size=90).map("\n".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, line_end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_pages_join_to_the_text_and_are_as_many_as_promised(tmp_path, text, line_end):
    if not text.strip():
        text += "."
    path = tmp_path / "a.txt"
    path.write_bytes(text.replace("\n", line_end).encode())
    _, pages = read(path)
    assert joined(pages) == text
    for page in pages:
        assert 0 < len(page.text) <= CHARACTERS
        assert page.text.count("\n") <= LINES
        assert "\f" not in page.text[1:]


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, sizes=st.lists(st.integers(1, 9_000), min_size=1, max_size=20))
def test_where_chunks_end_makes_no_difference(text, sizes):
    def chunks():
        start, turn = 0, 0
        while start < len(text):
            yield text[start : start + sizes[turn % len(sizes)]]
            start += sizes[turn % len(sizes)]
            turn += 1

    assert list(split_blocks(chunks())) == list(split_blocks([text]))


def test_labels_count_lines(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("".join(f"line {number}\n" for number in range(1, 131)) + "\flast")
    _, pages = read(path)
    assert [page.label for page in pages] == ["lines 1-60", "lines 61-120", "lines 121-130", "line 131"]
    assert pages[1].text.startswith("line 61\n")
    assert pages[3].text == "\flast"


def test_a_line_longer_than_a_page_is_cut_at_a_space_and_keeps_its_number(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("short\n" + "word " * 4_000 + "\nend\n")
    _, pages = read(path)
    assert [page.label for page in pages] == ["line 1", "line 2", "line 2", "lines 2-3"]
    assert all(page.text.endswith(" ") for page in pages[1:3])


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "shift_jis", "gb18030", "koi8-r", "cp1250"]
)
def test_the_encoding_is_recognised(tmp_path, encoding):
    prose = {
        "shift_jis": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
        "gb18030": "学而时习之，不亦说乎？有朋自远方来，不亦乐乎？人不知而不愠，不亦君子乎？",
        "koi8-r": "Широкая электрификация южных губерний даст мощный толчок подъёму сельского хозяйства.",
        "cp1250": "Příliš žluťoučký kůň úpěl ďábelské ódy. Zvláště dnes ráno šel z města ke své staré matce.",
    }.get(encoding, "Über den Wäldern liegt früh ein Nebel, und à la fin de l'été les élèves rentrent.")
    text = f"{prose}\n" * 30
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode(encoding))
    assert joined(read(path)[1]) == text


def test_utf8_with_a_little_damage_stays_utf8(tmp_path):
    path = tmp_path / "a.txt"
    whole = "Größe und Maß überall, auch für Bären.\n" * 50
    surrogate = "\ud83d".encode("utf-8", "surrogatepass")
    path.write_bytes(whole.encode() + surrogate + b" half\n" + whole.encode() + b"\xc3")
    text = joined(read(path)[1])
    assert text.startswith(whole)
    assert text.count("Größe") == 100
    assert set(text) - set(whole) <= set("\ufffd lf")


def test_a_line_without_end_is_data(tmp_path):
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        for _ in range(101):
            file.write(b"x" * 1_000_000)
    with pytest.raises(UnsupportedFile, match="a line of more than 100,000,000 characters"):
        read(path)


def test_one_old_character_far_into_a_file_changes_its_encoding_not_its_length(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"plain words here\n" * 20_000 + "ein schöner Tag für große Bären\n".encode("cp1252") * 5)
    _, pages = read(path)
    assert "schöner Tag für große Bären" in pages[-1].text
    assert joined(pages).count("\n") == 20_005


@pytest.mark.parametrize(
    "content",
    [b"text\0text", bytes(range(1, 32)) * 9, b"\x89PNG\r\n\x1a\n" + bytes(99), b"a" * 70_000 + b"\0" + b"b" * 9],
    ids=["NUL", "controls", "PNG", "late NUL"],
)
def test_binary_content_is_unsupported_whatever_its_name(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(UnsupportedFile, match="binary"):
        read(path)


def test_blank_and_missing_files_are_told_apart(tmp_path):
    path = tmp_path / "a.txt"
    for content in ("", "\ufeff", " \n\f\n"):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(EmptyFile):
            read(path)
    with pytest.raises(FileMissing):
        read(tmp_path / "missing.txt")


def test_titles_are_file_names_and_markdown_headings(tmp_path):
    for name, content, title in [
        ("notes.txt", "# not markdown", "notes.txt"),
        ("a.md", "intro\n```\n# code\n```\n#  The  plan #\n", "The plan"),
        ("b.md", "## second level only\n", "b.md"),
        ("Makefile", "all:\n\ttrue\n", "Makefile"),
    ]:
        (tmp_path / name).write_text(content)
        assert read(tmp_path / name)[0].title == title


def test_media_types_do_not_take_typescript_for_video(tmp_path):
    for name, media_type in [("a.ts", "text/plain"), ("a.md", "text/markdown"), ("a.JSON", "application/json")]:
        (tmp_path / name).write_text("x")
        assert read(tmp_path / name)[0].media_type == media_type


def test_a_file_that_stops_being_text_between_survey_and_reading_is_a_file_problem(tmp_path):
    from hmt_qa.errors import CorruptFile

    path = tmp_path / "a.txt"
    path.write_text("fine\n")
    with TextReader().open(path) as source:
        path.write_bytes(b"\xff\xff\xff")
        with pytest.raises(CorruptFile):
            list(source)


MEASURE = """
import resource, sys
from pathlib import Path
from hmt_ingest.readers.text import TextReader
from hmt_ingest.segmenting import segment_pages
from hmt_qa.types import EncodedText

def encode(text):
    starts = range(0, len(text), 4)
    return EncodedText(ids=[1] * len(starts), spans=[(start, min(start + 4, len(text))) for start in starts])

def read(path):
    with TextReader().open(Path(path)) as source:
        return sum(len(one.segment.text) for one in segment_pages(source, encode=encode, length=512))

read(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert read(sys.argv[2]) == Path(sys.argv[2]).stat().st_size
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("unit", ["a line of a log, not long\n", "one endless line "], ids=["lines", "one line"])
def test_fifty_megabytes_are_read_in_constant_memory(tmp_path, unit):
    small, large = tmp_path / "small.txt", tmp_path / "large.txt"
    small.write_text(unit * 10_000)
    large.write_text(unit * (50_000_000 // len(unit)))
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(small), str(large)], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < 20_000, "KiB of growth"
