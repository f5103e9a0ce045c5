"""One PDFium page as text and word boxes that fit each other exactly; knows no files.

The text is built from PDFium's own list of characters, so the place of every word is that of its first and last
character in the list. Two calls a word instead of one a character: loose boxes are as high as the font's line, and a
word's characters stand in a row.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import pi

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from hmt_ingest.readers.hyphens import Vocabulary
from hmt_ingest.readers.ink import shown_without_characters
from hmt_qa.types import Page, TextBox

_SAMPLED = 32  # characters of a page that are asked for their angle
# One character for one: places in the cleaned text are places in PDFium's list. NUL stands for what is left out.
_CLEAN = str.maketrans(
    dict.fromkeys(map(chr, range(0x20)), "\0")
    | dict.fromkeys(map(chr, range(0x7F, 0xA0)), "\0")
    | dict.fromkeys("\u200b\u2060\ufeff\uffff\u200e\u200f\u202a\u202b\u202c\u202d\u202e", "\0")
    | dict.fromkeys("\t\u00a0\u1680\u202f\u205f\u3000", " ")
    | dict.fromkeys(map(chr, range(0x2000, 0x200B)), " ")
    | dict.fromkeys("\n\r\v\f\x85\u2028\u2029", "\n")
    | {"\x02": "\x02", "\ufffe": "\x02"}
    | {"\uf0b7": "•", "\uf0a7": "▪"}  # the bullets of the Symbol and Wingdings fonts, in private use
)
# A soft hyphen that is drawn is a hyphen; one that still stands before a line end was meant to vanish with it.
_BROKEN_HERE = re.compile("\u00ad(?=[ \0]*\n)")
# What stands around a cut, which teaches no spelling.
_HALVES = re.compile(r"[^ \n\x02]*\x02[ \n\0]*[^ \n\x02]*")
_PIECES = re.compile(r"(?P<word>[^ \n\x02]+)|(?P<cut>\x02[ \n\0]*)|(?P<gap>[ \n]+)")
_SURROGATES = re.compile("[\ud800-\udfff]")


def read_page(page: pdfium.PdfPage, *, number: int, label: str, vocabulary: Vocabulary) -> Page:
    """The page's text, lines ending in newlines, with a box for each word, or what it shows instead.

    Raises `PdfiumError`.
    """
    textpage = _textpage(page)
    try:
        characters = _characters(textpage.raw)
        vocabulary.learn(_HALVES.sub(" ", characters))
        words = _assemble(characters, vocabulary)
        boxes = tuple(_boxes(textpage.raw, words.places, _Placement.of(page)))
    finally:
        textpage.close()
    width, height = (round(side, 2) for side in page.get_size())
    unread = "" if words.text else shown_without_characters(page)
    return Page(number=number, label=label, text=words.text, width=width, height=height, boxes=boxes, unread=unread)


def _textpage(page: pdfium.PdfPage) -> pdfium.PdfTextPage:
    """The page's characters in the order they are read.

    PDFium gives lines that run downwards as shown last line first; such a page is looked at upright. Places of
    characters are the page's own, so they are the same either way.
    """
    textpage, turns = page.get_textpage(), page.get_rotation() // 90
    text_turns = _turns_of_text(textpage.raw)
    if (turns + text_turns) % 4 != 1:
        return textpage
    textpage.close()
    page.set_rotation(-text_turns % 4 * 90)
    try:
        return page.get_textpage()
    finally:
        page.set_rotation(turns * 90)


def _turns_of_text(raw: pdfium_c.FPDF_TEXTPAGE) -> int:
    """Quarter turns, clockwise, by which most of some characters are turned on the page."""
    count = pdfium_c.FPDFText_CountChars(raw)
    angles = (pdfium_c.FPDFText_GetCharAngle(raw, at) for at in range(0, count, max(1, count // _SAMPLED)))
    turned = Counter(round(2 * angle / pi) % 4 for angle in angles if angle >= 0)  # -1 for what is not drawn
    return turned.most_common(1)[0][0] if turned else 0


def _characters(raw: pdfium_c.FPDF_TEXTPAGE) -> str:
    """PDFium's list of UTF-16 units, cleaned, one for one."""
    unicode_of = pdfium_c.FPDFText_GetUnicode
    units = "".join([chr(unicode_of(raw, index)) for index in range(pdfium_c.FPDFText_CountChars(raw))])
    return _BROKEN_HERE.sub("\x02", units.translate(_CLEAN)).replace("\u00ad", "-")


@dataclass(frozen=True, slots=True)
class _Words:
    text: str
    places: list[tuple[int, int, int, int]]  # span in `text`, then first and last index in PDFium's list


def _assemble(characters: str, vocabulary: Vocabulary) -> _Words:
    """Join pieces to text: one space or one newline between words, words cut at a line end made whole."""
    parts: list[str] = []
    places: list[tuple[int, int, int, int]] = []
    position, gap, cut = 0, "", False
    for piece in _PIECES.finditer(characters):
        if piece.lastgroup == "gap":
            # After a rejoined word the line ends, where it would have ended without the cut.
            line_ends = cut or "\n" in piece.group()
            gap, cut = ("\n" if line_ends or gap == "\n" else " "), False
            continue
        if piece.lastgroup == "cut":
            rest = _PIECES.match(characters, piece.end())
            joins = rest is not None and rest.lastgroup == "word" and not gap
            cut = cut or joins
            if joins and rest is not None and not vocabulary.keeps_hyphen(parts[-1] if parts else "", rest.group()):
                continue
            word = "-"
        else:
            word = _visible(piece.group())
            if not word:
                continue
        if gap and parts:
            parts.append(gap)
            position += 1
        gap = ""
        parts.append(word)
        places.append((position, position + len(word), piece.start(), _last_index(piece)))
        position += len(word)
    if parts:
        parts.append("\n")
    return _Words(text="".join(parts), places=_merged(places))


def _last_index(piece: re.Match[str]) -> int:
    return piece.start() if piece.lastgroup == "cut" else piece.end() - 1


def _merged(places: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Put a kept hyphen with the half of the word before it; the half after it stands on the next line."""
    merged: list[tuple[int, int, int, int]] = []
    for place in places:
        start, end, first, last = place
        if merged and merged[-1][1] == start and first == last == merged[-1][3] + 1:
            merged[-1] = (merged[-1][0], end, merged[-1][2], last)
        else:
            merged.append(place)
    return merged


def _visible(word: str) -> str:
    """A run of UTF-16 units as proper text; a surrogate without its other half becomes U+FFFD."""
    word = word.replace("\0", "")
    if _SURROGATES.search(word):
        return word.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return word


@dataclass(frozen=True, slots=True)
class _Placement:
    """How the page's own coordinates turn into those of the page as shown."""

    left: float
    bottom: float
    right: float
    top: float
    quarter_turns: int  # clockwise

    @classmethod
    def of(cls, page: pdfium.PdfPage) -> _Placement:
        """The visible rectangle and rotation of `page`."""
        left, bottom, right, top = page.get_bbox()
        return cls(left, bottom, right, top, page.get_rotation() // 90)

    def shown(self, x: float, y: float) -> tuple[float, float]:
        """Where the point (x, y) is seen, from the lower left corner of the page as shown."""
        match self.quarter_turns:
            case 1:
                return y - self.bottom, self.right - x
            case 2:
                return self.right - x, self.top - y
            case 3:
                return self.top - y, x - self.left
            case _:
                return x - self.left, y - self.bottom


def _boxes(
    raw: pdfium_c.FPDF_TEXTPAGE, places: list[tuple[int, int, int, int]], placement: _Placement
) -> Iterator[TextBox]:
    box = pdfium_c.FS_RECTF()
    reference = ctypes.byref(box)
    loose_box_of = pdfium_c.FPDFText_GetLooseCharBox
    for start, end, first, last in places:
        if not loose_box_of(raw, first, reference):
            continue
        left, bottom, right, top = box.left, box.bottom, box.right, box.top
        if last != first and loose_box_of(raw, last, reference):
            left, bottom = min(left, box.left), min(bottom, box.bottom)
            right, top = max(right, box.right), max(top, box.top)
        (x0, y0), (x1, y1) = placement.shown(left, bottom), placement.shown(right, top)
        yield TextBox(
            char_start=start,
            char_end=end,
            left=round(min(x0, x1), 2),
            bottom=round(min(y0, y1), 2),
            right=round(max(x0, x1), 2),
            top=round(max(y0, y1), 2),
        )
