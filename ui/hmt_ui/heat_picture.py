"""A question's heat over a document's pages as a PNG; the one file that knows Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from hmt_qa.errors import HmtQaError
from hmt_qa.types import PageWeight
from hmt_ui.printing import printable

WIDTH, HEIGHT = 1200, 320  # pixels
_LEFT, _TOP, _BOTTOM = 20, 50, 40
_PLOT = WIDTH - 2 * _LEFT
_INK, _PAPER, _LINE = (40, 40, 40), (255, 255, 255), (190, 190, 190)
_COLD, _HOT = (253, 224, 200), (166, 20, 20)
_TICKS = 12


def draw(weights: Sequence[PageWeight], file: Path, *, question: str, title: str) -> None:
    """Write a bar a page, as high and as red as its weight; raises `HmtQaError` where the file cannot be written."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    pencil = ImageDraw.Draw(picture)
    font = ImageFont.load_default(16)
    pencil.text((_LEFT, 14), printable(f"{title}: {question}")[:120], fill=_INK, font=font)
    floor, most = HEIGHT - _BOTTOM, max(page.weight for page in weights) or 1.0
    for index, page in enumerate(weights):
        left, right = (_LEFT + _PLOT * place // len(weights) for place in (index, index + 1))
        share = page.weight / most
        shade = tuple(round(cold + (hot - cold) * share) for cold, hot in zip(_COLD, _HOT, strict=True))
        top = floor - round((floor - _TOP) * share)
        # A page of thousands has less than a pixel: the highest of those in one stays on top.
        if picture.getpixel((left, max(top, _TOP))) == _PAPER:
            pencil.rectangle((left, top, max(left, right - 2), floor), fill=shade)
    pencil.line((_LEFT, floor, WIDTH - _LEFT, floor), fill=_LINE)
    step = -(-len(weights) // _TICKS)
    for index in range(0, len(weights), step):
        pencil.text((_LEFT + _PLOT * index // len(weights), floor + 8), str(weights[index].page), fill=_INK, font=font)
    try:
        picture.save(file, format="PNG")
    except OSError as error:
        raise HmtQaError(
            f"The picture {file} cannot be written: {error.strerror or error}.",
            subject=str(file),
            remedy="Choose a folder that exists and that you may write to.",
        ) from error
