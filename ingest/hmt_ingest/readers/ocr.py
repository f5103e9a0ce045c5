"""Text recognition by Tesseract for pages that show something and have no characters (extra `ocr`).

Which languages are tried is decided by the language data that is installed (Debian: `tesseract-ocr-eng`, `-deu`, …).
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium

from hmt_qa.types import Page, TextBox

_DATA = ("/usr/share/tesseract-ocr/5/tessdata", "/usr/share/tesseract-ocr/4.00/tessdata", "/usr/share/tessdata",
         "/usr/local/share/tessdata", "/opt/homebrew/share/tessdata")  # fmt: skip
_NO_LANGUAGES = frozenset({"osd", "equ"})
_DOTS_PER_INCH = 300
_MOST_PIXELS = 25e6  # three times A4
_LEAST_CONFIDENCE = 40.0  # of 100: in photographs Tesseract sees words that are none


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    box: tuple[int, int, int, int]  # left, top, right, bottom in pixels
    ends_line: bool


def recognised(page: pdfium.PdfPage, blank: Page) -> Page:
    """`blank` with the text that is recognised on `page`, with word boxes; as it was where there is none."""
    recogniser = _recogniser()
    if recogniser is None:
        return replace(blank, unread=f"{blank.unread} (text recognition is not installed)")
    scale = min(_DOTS_PER_INCH / 72, math.sqrt(_MOST_PIXELS / max(1.0, blank.width * blank.height)))
    bitmap = page.render(scale=scale, grayscale=True)
    recogniser.SetImageBytes(bytes(bitmap.buffer), bitmap.width, bitmap.height, 1, bitmap.stride)
    recogniser.SetSourceResolution(round(72 * scale))
    return _with_words(blank, _words(recogniser), scale)


def _with_words(blank: Page, words: Iterator[_Word], scale: float) -> Page:
    text, boxes = "", []
    for word in words:
        left, top, right, bottom = (round(side / scale, 2) for side in word.box)
        boxes.append(
            TextBox(
                char_start=len(text),
                char_end=len(text) + len(word.text),
                left=left,
                bottom=round(blank.height - bottom, 2),
                right=right,
                top=round(blank.height - top, 2),
            )
        )
        text += word.text + ("\n" if word.ends_line else " ")
    if not text:
        return blank
    return replace(blank, text=text.rstrip() + "\n", boxes=tuple(boxes), unread="")


def _words(recogniser: Any) -> Iterator[_Word]:
    from tesserocr import RIL, iterate_level

    recogniser.Recognize()
    found = recogniser.GetIterator()
    for place in iterate_level(found, RIL.WORD) if found is not None else ():
        if place.Empty(RIL.WORD) or place.Confidence(RIL.WORD) < _LEAST_CONFIDENCE:
            continue
        text = "".join(place.GetUTF8Text(RIL.WORD).split())
        if text:
            yield _Word(text, place.BoundingBox(RIL.WORD), place.IsAtFinalElement(RIL.TEXTLINE, RIL.WORD))


@cache
def _recogniser() -> Any:
    """Tesseract with every language that is installed; None where it, or any language, is missing."""
    data = _language_data()
    if data is None or importlib.util.find_spec("tesserocr") is None:
        return None
    from tesserocr import PyTessBaseAPI

    languages = sorted(file.stem for file in data.glob("*.traineddata") if file.stem not in _NO_LANGUAGES)
    return PyTessBaseAPI(path=str(data), lang="+".join(languages)) if languages else None


def _language_data() -> Path | None:
    places = [os.environ["TESSDATA_PREFIX"]] if "TESSDATA_PREFIX" in os.environ else _DATA
    return next((Path(place) for place in places if any(Path(place).glob("*.traineddata"))), None)
