"""A page of a PDF as a picture, made by a process of its own: a hostile file breaks that one and not ours.

python -m hmt_ingest.picturing      an order as JSON on standard input, a PNG on standard output
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hmt_ingest.sandbox import errand
from hmt_ingest.sandbox.limits import impose
from hmt_qa.errors import NoPicture
from hmt_qa.types import ParsingLimits

if TYPE_CHECKING:
    from PIL.Image import Image

WIDEST = 1400  # pixels, of the longer side
SECONDS = 20.0
_LIMITS = ParsingLimits(memory_mb=1024, page_seconds=15, total_seconds=15)
_MARKER = (255, 224, 102)  # multiplied with the page: ink stays black


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which page of which file; `marked` are boxes (left, bottom, right, top) in points from the page's lower left."""

    path: str
    page: int
    marked: Sequence[tuple[float, float, float, float]] = ()


def picture(order: Order) -> bytes:
    """The page as PNG, at most `WIDEST` pixels on its longer side; raises `NoPicture`."""
    try:
        return errand.run("hmt_ingest.picturing", asdict(order), seconds=SECONDS)
    except errand.ErrandFailed as problem:
        raise NoPicture(
            f"Page {order.page} of {Path(order.path).name} could not be drawn.",
            subject=order.path,
            remedy="Read the page's text instead.",
        ) from problem


def draw(order: Order) -> bytes:
    """`picture`, in this process."""
    import pypdfium2 as pdfium

    document = pdfium.PdfDocument(order.path)
    page = document[order.page - 1]
    width, height = page.get_size()
    scale = WIDEST / max(width, height, 1.0)
    drawn: Image = page.render(scale=scale).to_pil().convert("RGB")
    for box in order.marked:
        _mark(drawn, box, scale)
    file = io.BytesIO()
    drawn.save(file, format="PNG")
    return file.getvalue()


def _mark(drawn: Image, box: tuple[float, float, float, float], scale: float) -> None:
    from PIL import Image, ImageChops

    left, bottom, right, top = (value * scale for value in box)
    place = (round(left) - 1, round(drawn.height - top) - 1, round(right) + 1, round(drawn.height - bottom) + 1)
    place = (max(place[0], 0), max(place[1], 0), min(place[2], drawn.width), min(place[3], drawn.height))
    if place[0] < place[2] and place[1] < place[3]:
        piece = drawn.crop(place)
        drawn.paste(ImageChops.multiply(piece, Image.new("RGB", piece.size, _MARKER)), place)


def main() -> None:
    """Draw what standard input orders."""
    order = Order(**json.loads(sys.stdin.buffer.read()))
    impose(_LIMITS)
    sys.stdout.buffer.write(draw(order))


if __name__ == "__main__":
    main()
