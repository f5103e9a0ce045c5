"""How the book is set: entries to lines, lines to pages. Lengths are PDF points (1/72 inch)."""

from __future__ import annotations

import platform
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from reportlab.lib.pagesizes import A5
from reportlab.pdfbase.pdfmetrics import stringWidth

from hmt_ui.reference.docstrings import Entry

TITLE = "The Python Standard Library: reference from its docstrings"

WIDTH, HEIGHT = A5
MARGIN, TOP, BOTTOM = 42.0, 66.0, 60.0
MEASURE = WIDTH - 2 * MARGIN


@dataclass(frozen=True, slots=True)
class Style:
    """A font, its size, and the distance from one baseline to the next."""

    font: str
    size: float
    leading: float


MODULE = Style("Times-Bold", 22, 30)
CLASS = Style("Times-Bold", 13, 17)
SIGNATURE = Style("Courier-Bold", 8.2, 10.6)
PROSE = Style("Times-Roman", 10, 13.2)
CODE = Style("Courier", 7.4, 9.8)
SMALL = Style("Times-Italic", 8.5, 11)
SPACER = Style("Times-Roman", 8, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line to print. `before` is space above it, `stretch` what each word space grows by, `right` text at the
    right margin; `keep` holds it on one page with the next line."""

    text: str
    style: Style
    indent: float = 0.0
    before: float = 0.0
    stretch: float = 0.0
    right: str = ""
    keep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One page: its lines, the running header and the number printed on it."""

    lines: Sequence[Line]
    header: str
    label: str


def typeset(parts: Iterable[Entry]) -> Iterator[Line]:
    """The lines that print `parts`, in order."""
    for part in parts:
        if part.kind == "module":
            yield Line(text=part.name, style=MODULE, keep=True)
            yield Line(text="", style=SPACER, keep=True)
        elif part.kind == "class":
            yield Line(text=f"class {part.name}", style=CLASS, before=18, keep=True)
        if part.kind != "module" and (part.kind != "class" or part.signature):
            yield from _set_signature(part)
        indent = 0.0 if part.kind in {"module", "class"} else 14.0
        for block in re.split(r"\n\s*\n", part.text):
            lines = [line.rstrip() for line in block.splitlines() if line.strip()]
            if lines:
                yield from _set_prose(lines, indent) if _is_prose(lines) else _set_code(lines, indent)


def _set_signature(part: Entry) -> Iterator[Line]:
    columns = int(MEASURE / width_of("0", SIGNATURE))
    wrapped = textwrap.wrap(part.name + part.signature, columns, subsequent_indent=" " * 8, break_on_hyphens=False)
    for number, text in enumerate(wrapped):
        yield Line(text=text, style=SIGNATURE, before=0 if number else 11, keep=True)


_CODE_LINE = re.compile(r">>>|\.\.\.|\* |\w+\s*=|\w+\(.*\)$|def \w+\(|class \w+[:(]|(from \S+ )?import \w+")


def _is_prose(lines: Sequence[str]) -> bool:
    """Whether these lines may be filled anew: one left edge, no columns, no prompt, bullet or ruler."""
    edge = len(lines[0]) - len(lines[0].lstrip())
    bare = [line[edge:] for line in lines if not line[:edge].strip()]
    filled = len(bare) == len(lines) and all(re.match(r"[\w\"'`(\[*]", line) and "   " not in line for line in bare)
    long = all(len(line) > 40 for line in lines[:-1])
    return filled and long and not any(map(_CODE_LINE.match, bare)) and (edge == 0 or len(lines) > 1)


def _set_prose(lines: Sequence[str], indent: float) -> Iterator[Line]:
    edge = len(lines[0]) - len(lines[0].lstrip())
    indent += 3.0 * min(edge, 12)
    room, space = MEASURE - indent, width_of(" ", PROSE)
    rows: list[tuple[list[str], float]] = []
    words: list[str] = []
    taken = 0.0
    for word in (piece for whole in " ".join(lines).split() for piece in _fitting(whole, room)):
        width = width_of(word, PROSE)
        if words and taken + space + width > room:
            rows.append((words, min((room - taken) / max(len(words) - 1, 1), 5.0)))
            words, taken = [], -space
        taken = taken + space + width if words or rows else width
        words.append(word)
    rows.append((words, 0.0))
    for number, (row, stretch) in enumerate(rows):
        # The first two lines stay together, and so do the last two.
        together = number in {0, len(rows) - 2} and len(rows) > 1
        yield Line(
            text=" ".join(row), style=PROSE, indent=indent, before=0 if number else 5, stretch=stretch, keep=together
        )


def _fitting(word: str, room: float) -> Iterator[str]:
    """The word, cut where it is wider than a line: an address or a name of half a page has no space to break at."""
    while width_of(word, PROSE) > room:
        end = next(end for end in range(len(word), 0, -1) if width_of(word[:end], PROSE) <= room)
        yield word[:end]
        word = word[end:]
    yield word


def _set_code(lines: Sequence[str], indent: float) -> Iterator[Line]:
    """Lines as they are: smaller where the longest would not fit, and wrapped only where that is not enough."""
    per_column = width_of("0", CODE) / CODE.size
    fitting = (MEASURE - indent) / (max(map(len, lines)) * per_column)
    style = replace(CODE, size=min(CODE.size, max(fitting, 6.6)))
    columns = int((MEASURE - indent) / (style.size * per_column) + 1e-6)
    wrap = textwrap.TextWrapper(columns, subsequent_indent=" " * 8, break_on_hyphens=False, drop_whitespace=False)
    wrapped = [text for line in lines for text in (wrap.wrap(line) if len(line) > columns else [line])]
    for number, text in enumerate(wrapped):
        first = number == 0
        yield Line(text=text, style=style, indent=indent, before=5 if first else 0, keep=first and len(wrapped) > 1)


@cache
def width_of(text: str, style: Style) -> float:
    """How wide `text` is set, in points."""
    return float(stringWidth(text, style.font, style.size))


def paginate(lines: Iterable[Line]) -> Iterator[Sequence[Line]]:
    """Fill pages; lines that keep with the next one move over together. Space above a page's first line is dropped."""
    page: list[Line] = []
    group: list[Line] = []
    used = 0.0
    for line in lines:
        group.append(line)
        if line.keep and len(group) < 12:
            continue
        height = sum(item.before + item.style.leading for item in group)
        if page and used + height > HEIGHT - TOP - BOTTOM:
            yield page
            page, used = [], 0.0
        if not page:
            height -= group[0].before
            group[0] = replace(group[0], before=0)
        page += group
        used += height
        group = []
    if page or group:
        yield page + group


def front_matter(starts: dict[str, int]) -> list[Sheet]:
    """Title, imprint and contents, numbered in Roman; `starts` are the modules' pages."""
    version = platform.python_version()
    title, _, subtitle = TITLE.partition(": ")
    cover = [
        Line(text=title, style=Style("Times-Bold", 24, 30), before=120),
        Line(text=subtitle[:1].upper() + subtitle[1:], style=Style("Times-Italic", 15, 22), before=10),
        Line(text=f"Python {version}", style=PROSE, before=40),
    ]
    about = (
        f"This book was set from the docstrings of the modules installed with Python {version}, on the machine where "
        "it is read. Names are in alphabetical order within a module; what a class inherits is printed where it is "
        "defined. The docstrings are part of Python: copyright Python Software Foundation and contributors, under the "
        "PSF License Agreement."
    )
    contents = [Line(text="Contents", style=MODULE, keep=True), Line(text="", style=SPACER, keep=True)]
    contents += [Line(text=name, style=PROSE, right=str(page)) for name, page in starts.items()]
    imprint = [replace(line, before=line.before and 360) for line in _set_prose([about], 0.0)]
    pages = [("", cover), ("", imprint), *(("Contents", page) for page in paginate(contents))]
    return [
        Sheet(lines=lines, header=header, label=label)
        for (header, lines), label in zip(pages, ("i", "ii", "iii", "iv", "v", "vi"), strict=False)
    ]
