"""The Python on each page of the documentation runs from top to bottom, and says what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hmt_qa.library import three_pages

ROOT = Path(__file__).parent.parent
SAID = {
    "langchain.md": ["3 pages of", "Tobias Wren [1]", "harbour.txt page 2", "1 {'about': 'owl'}"],
    "python.md": [
        "ingested 3 pages",
        "too slow",
        "{'by': 'Agnes'}",
        "Tobias Wren by my model from",
        "no such document",
    ],
}


@pytest.mark.parametrize("page", sorted(SAID))
def test_the_python_of_a_page_runs(page: str, tmp_path: Path) -> None:
    three_pages(tmp_path / "harbour.txt", filler=2)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) >= 3
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for words in SAID[page]:
        assert words in done.stdout
