"""CSV and Excel files as text tables."""

from __future__ import annotations

import csv
import datetime

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hmt_ingest.readers.blocks import CHARACTERS, LINES
from hmt_ingest.readers.rows import row_pages
from hmt_qa.errors import CorruptFile, EmptyFile, UnsupportedFile
from tests.hmt_ingest.opened import read, texts


@pytest.mark.parametrize(
    "content",
    ['name,size\n"Owl, ""barn""\nowl",3\n\nEagle,7\n', 'name;size\n"Owl, ""barn""\nowl";3\n\nEagle;7\n',
     'name\tsize\n"Owl, ""barn""\nowl"\t3\n\nEagle\t7\n'],
)  # fmt: skip
def test_whatever_separates_the_values_a_row_is_a_line(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_text(content)
    assert texts(path) == [("rows 1-4", 'name | size\nOwl, "barn" owl | 3\nEagle | 7\n')]


def test_tabs_separate_a_tsv_and_encodings_are_found(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes("Käuzchen, klein\t3\nUhu\t7\n".encode("cp1252"))
    assert texts(path) == [("rows 1-2", "Käuzchen, klein | 3\nUhu | 7\n")]


def test_a_quote_that_never_ends_leaves_lines(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('name,"value\n' + "a,b\n" * 60_000)
    pages = texts(path)
    assert pages[0][1].startswith('name,"value\na,b\n')
    assert pages[-1][0].endswith(" 60001")


def test_a_table_without_values_and_a_binary_one_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",,\n\n,\n")
    with pytest.raises(EmptyFile):
        read(path)
    path.write_bytes(b"a,b\0\n")
    with pytest.raises(UnsupportedFile):
        read(path)


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(str.strip)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(CELL, min_size=2, max_size=4), min_size=1, max_size=150))
def test_every_value_of_a_table_is_in_its_text(tmp_path, rows):
    path = tmp_path / "a.tsv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, csv.excel_tab).writerows(rows)
    lines = "".join(text for _, text in texts(path)).split("\n")
    assert [line.split(" | ") for line in lines[:-1]] == [
        " | ".join(" ".join(cell.split()) for cell in row).split(" | ") for row in rows
    ]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3 * CHARACTERS)), max_size=200))
def test_pages_of_rows_join_to_the_rows_and_name_them(rows):
    numbered = [(number, "x" * length if there else "") for number, (there, length) in enumerate(rows, start=1)]
    pages = list(row_pages(numbered))
    assert "".join(text for _, text in pages) == "".join(f"{text}\n" for _, text in numbered if text)
    named = [tuple(map(int, label.split()[1].split("-"))) for label, _ in pages]
    shown = [number for number, text in numbered if text]
    assert [ends[0] for ends in named] == sorted(ends[0] for ends in named)
    assert {ends[0] for ends in named} | {ends[-1] for ends in named} <= set(shown)
    assert not shown or (named[0][0], named[-1][-1]) == (shown[0], shown[-1])
    assert all(text.count("\n") <= LINES for _, text in pages)


@pytest.fixture
def workbook():
    return openpyxl.Workbook()


def test_sheets_are_text_tables_under_their_names(workbook, tmp_path):
    sheet = workbook.active
    sheet.title = "Sales"
    sheet.append(["Quarter", "Revenue", "Share", "Closed", "Checked"])
    sheet.append(["Q1", 1234.5, 0.256, datetime.datetime(2023, 3, 31), True])
    sheet.append(["Q2", 1e6, None, datetime.datetime(2023, 6, 30, 12, 30), False])
    sheet["C2"].number_format = "0.0%"
    workbook.create_sheet("Empty")
    workbook.create_sheet("Far")["C90"] = "=SUM(B1:B9)"
    workbook.properties.title = "Owls sold"
    workbook.save(tmp_path / "a.xlsx")
    source, pages = read(tmp_path / "a.xlsx")
    assert [(page.label, page.text) for page in pages] == [
        (
            "Sales, rows 1-3",
            "Quarter | Revenue | Share | Closed | Checked\nQ1 | 1234.5 | 25.6% | 2023-03-31 | TRUE\n"
            "Q2 | 1000000 |  | 2023-06-30 12:30:00 | FALSE\n",
        ),
        ("Far, row 90", " |  | =SUM(B1:B9)\n"),
    ]
    assert source.title == "Owls sold"


def test_a_long_sheet_has_many_pages(workbook, tmp_path):
    for number in range(1, 131):
        workbook.active.append([number, "owl"])
    workbook.save(tmp_path / "a.xlsx")
    assert [label for label, _ in texts(tmp_path / "a.xlsx")] == [
        "Sheet, rows 1-60", "Sheet, rows 61-120", "Sheet, rows 121-130",
    ]  # fmt: skip


def test_a_calculated_formula_shows_its_value(workbook, tmp_path):
    from zipfile import ZipFile

    workbook.active["A1"] = "=6*7"
    workbook.save(tmp_path / "a.xlsx")
    with ZipFile(tmp_path / "a.xlsx") as source, ZipFile(tmp_path / "b.xlsx", "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"<v></v>", b"<v>42</v>").replace(b"<v />", b"<v>42</v>"))
    assert texts(tmp_path / "a.xlsx")[0][1] == "=6*7\n"
    assert texts(tmp_path / "b.xlsx")[0][1] == "42\n"


def test_an_empty_workbook_and_what_is_none_are_refused(workbook, tmp_path):
    workbook.save(tmp_path / "a.xlsx")
    with pytest.raises(EmptyFile):
        read(tmp_path / "a.xlsx")
    (tmp_path / "a.xlsx").write_text("a,b")
    with pytest.raises(CorruptFile, match="no Excel file"):
        read(tmp_path / "a.xlsx")
