"""diff, heat and ask --as-of-page by the command line on real documents."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.hmt_ui.calling import Run, one_line

KEEPERS = ("Agnes Farrow", "Tobias Wren", "Ilse Brandt")


@pytest.fixture
def read(run: Run, tmp_path: Path) -> tuple[str, Path]:
    """(id, path) of a document of three pages."""
    path = tmp_path / "keepers.txt"
    pages = [f"In year {year} the keeper of the light was {name}.\n" * 40 for year, name in enumerate(KEEPERS, 1)]
    path.write_text("\f".join(pages), encoding="utf-8")
    return run("ingest", path, "--json").rows[0]["document"], path


def test_as_of_a_page_nothing_later_is_said(run: Run, read: tuple[str, Path]) -> None:
    (then,) = run("ask", "Who was the keeper in year 3?", "--as-of-page", 2, "--json").rows
    assert {citation["page"] for citation in then["citations"]} <= {1, 2}
    assert "Brandt" not in str(then)
    (now,) = run("ask", "Who was the keeper in year 3?", "--json").rows
    assert 3 in {citation["page"] for citation in now["citations"]}
    assert run("ask", "Who?", "--as-of-page", 0).code == 2


def test_heat_gives_every_page_its_share_and_draws_it(run: Run, read: tuple[str, Path], tmp_path: Path) -> None:
    document, _ = read
    picture = tmp_path / "heat.png"
    rows = run("heat", "Who kept the light?", "--document", document, "--png", picture, "--json").rows
    assert [set(row) for row in rows] == [{"document", "page", "page_label", "weight"}] * 3
    assert sum(row["weight"] for row in rows) == pytest.approx(1.0)
    with Image.open(picture) as drawn:
        width, height = drawn.size
        pixels = drawn.convert("RGB")
        columns = [(2 * index + 1) * (width - 40) // 6 + 20 for index in range(3)]
        bars = [sum(red(pixels.getpixel((column, row))) for row in range(50, height - 41)) for column in columns]
    weights = [row["weight"] for row in rows]
    assert sorted(range(3), key=bars.__getitem__) == sorted(range(3), key=weights.__getitem__)
    assert max(bars) > 200
    assert "█" in run("heat", "Who kept the light?", "--document", document).out
    outcome = run("heat", "Who?", "--document", document, "--png", tmp_path / "no" / "heat.png")
    assert outcome.code == 1
    assert one_line(outcome.err)


def red(pixel: tuple[int, int, int]) -> bool:
    return pixel[0] > pixel[1] + 20


def test_diff_names_the_changed_page_by_paths_and_by_ids(run: Run, read: tuple[str, Path], tmp_path: Path) -> None:
    document, path = read
    other = tmp_path / "later.txt"
    other.write_text(path.read_text(encoding="utf-8").replace("Tobias Wren", "Marta Holm"), encoding="utf-8")
    (new,) = run("ingest", other, "--json").rows
    (row,) = run("diff", path, other, "--json").rows
    assert (row["rank"], row["change"], row["page_old"], row["page_new"]) == (1, "changed", 2, 2)
    assert run("diff", document, new["document"], "--json").rows == [row]
    assert "page 2 → 2" in run("diff", document, other).out
    assert run("diff", document, document).out == "No page differs.\n"
    missing = run("diff", document, tmp_path / "none.txt")
    assert missing.code == 1
    assert one_line(missing.err)
