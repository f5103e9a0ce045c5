"""Draws the pictures of the README: the real server over the example document, seen by Debian's Chromium.

make screenshots      writes docs/img/*.png
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.hmt_ui import browser as web  # noqa: E402 - found by the line above

PICTURES = ROOT / "docs" / "img"
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
READING_MS = 600_000.0  # a slow machine may take its time
QUESTIONS = ("What does the function bisect_right return?", "And what does insort_left do?")


def main() -> None:
    """Read the example, ask, and take the pictures."""
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        web.server(Path(folder) / "home") as address,
        web.chromium() as chromium,
    ):
        with web.visit(chromium, address, viewport=DESK, color_scheme="light") as seen:
            seen.page.set_default_timeout(READING_MS)
            seen.page.click("#example")
            seen.wait_for_job("python-reference-example.pdf", "done")
            seen.page.locator("#documents label").wait_for()
        for name, viewport, scheme in (("light", DESK, "light"), ("dark", DESK, "dark"), ("phone", PHONE, "light")):
            with web.visit(chromium, address, viewport=viewport, color_scheme=scheme) as seen:
                answered(seen)
                seen.page.screenshot(path=PICTURES / f"page-{name}.png")
                if name == "light":
                    opened(seen)
                    seen.page.screenshot(path=PICTURES / "page-citation.png")


def answered(seen: web.Visit) -> None:
    """Ask, and wait until the strips are there."""
    seen.page.set_default_timeout(READING_MS)
    for question in QUESTIONS:
        seen.ask(question)
        seen.page.locator("#answer", has_text=question).wait_for()
        seen.page.locator("#sources .hmt-strip").first.wait_for()
        seen.page.locator("button#ask:enabled").wait_for()


def opened(seen: web.Visit) -> None:
    """Click the first citation, and wait for the page's picture."""
    seen.page.locator("#sources .hmt-chip").first.click()
    seen.page.locator(".hmt-viewer img").wait_for()
    seen.page.wait_for_function("document.querySelector('.hmt-viewer img').naturalWidth > 0")


if __name__ == "__main__":
    main()
