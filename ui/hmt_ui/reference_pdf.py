"""Sets a long, real PDF on the spot: the Python standard library's reference, from its own docstrings.

It is the document of the demo: hundreds of pages, on every machine, without a download. One interpreter gives the
same bytes each time. Lengths are PDF points (1/72 inch).
"""

from __future__ import annotations

import importlib
import inspect
import platform
import re
import sys
import textwrap
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from pathlib import Path
from types import ModuleType

from reportlab.lib.pagesizes import A5
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

TITLE = "The Python Standard Library: reference from its docstrings"
PAGE_BUDGET = 380
"""No module is begun after this page, so the size stays where it is while Python's docstrings grow."""
# In the order of the library reference. They import without side effects; one that this Python lacks is left out.
MODULES = tuple(
    """
    string re difflib textwrap unicodedata struct codecs datetime calendar collections heapq bisect array weakref types
    copy pprint enum graphlib numbers math cmath decimal fractions random statistics itertools functools operator
    pathlib os.path fileinput stat filecmp tempfile glob fnmatch shutil pickle shelve sqlite3 zlib gzip bz2 lzma zipfile
    tarfile csv configparser tomllib plistlib hashlib hmac secrets os io time argparse logging logging.handlers getpass
    platform errno threading multiprocessing concurrent.futures subprocess sched queue contextvars asyncio socket ssl
    select selectors signal mmap email email.message email.policy json mailbox mimetypes base64 binascii html
    html.parser xml.etree.ElementTree xml.dom.minidom xml.sax.handler webbrowser urllib.request urllib.parse
    urllib.robotparser http http.client ftplib poplib imaplib smtplib uuid socketserver http.server http.cookies
    http.cookiejar xmlrpc.client ipaddress wave colorsys gettext locale cmd shlex typing pydoc doctest unittest
    unittest.mock bdb faulthandler pdb timeit trace tracemalloc venv zipapp sys sysconfig builtins warnings dataclasses
    contextlib abc atexit traceback gc inspect site code codeop zipimport pkgutil modulefinder runpy importlib
    importlib.metadata ast symtable token keyword tokenize tabnanny pyclbr py_compile compileall dis pickletools
    """.split()
)

WIDTH, HEIGHT = A5
MARGIN, TOP, BOTTOM = 42.0, 66.0, 60.0
MEASURE = WIDTH - 2 * MARGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceSummary:
    """What was written: pages of the file, and characters set in its body."""

    pages: int
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing the library documents. `kind` is "module", "class", "function" or "method"."""

    kind: str
    name: str
    signature: str
    text: str


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


def write_reference_pdf(path: Path, *, modules: Sequence[str] | None = None) -> ReferenceSummary:
    """Write the reference of `modules` (all of `MODULES` within the page budget, if none are named) to `path`.

    Modules that this interpreter lacks are left out. Raises `OSError` where `path` cannot be written.
    """
    body: list[Sheet] = []
    starts: dict[str, int] = {}
    seen: set[str] = set()
    for name in MODULES if modules is None else modules:
        if modules is None and len(body) >= PAGE_BUDGET:
            break
        module = _import(name)
        if module is None:
            continue
        starts[name] = len(body) + 1
        for lines in _paginate(_set(entries(name, module, seen))):
            body.append(Sheet(lines=lines, header=name, label=str(len(body) + 1)))
    front = _front_matter(starts)
    _draw(path, front, body, starts)
    return ReferenceSummary(
        pages=len(front) + len(body), characters=sum(len(line.text) for sheet in body for line in sheet.lines)
    )


def _import(name: str) -> ModuleType | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated modules say so when imported
        try:
            return importlib.import_module(name)
        except ImportError:
            return None


# What the book says


def entries(name: str, module: ModuleType, seen: set[str]) -> Iterator[Entry]:
    """The module, then its public classes with their methods and its functions, by name.

    Docstrings in `seen` are skipped and new ones are added to it: what is inherited or shared is printed once.
    """
    yield Entry(kind="module", name=name, signature="", text=_own_text(module, seen))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated names say so when touched
        public = {public_name: getattr(module, public_name, None) for public_name in _public_names(name, module)}
    for short, thing in sorted(public.items()):
        if getattr(thing, "__name__", short) in public.keys() - {short}:
            continue  # an alias of another public name
        if inspect.isclass(thing):
            methods = list(_methods(short, thing, seen))
            text = _own_text(thing, seen)
            if text or methods:
                yield Entry(kind="class", name=short, signature=_signature(thing), text=text)
                yield from methods
        elif inspect.isroutine(thing) and (text := _own_text(thing, seen)):
            yield Entry(kind="function", name=f"{name}.{short}", signature=_signature(thing), text=text)


def _public_names(name: str, module: ModuleType) -> Iterable[str]:
    if hasattr(module, "__all__"):
        return set(module.__all__)
    root = name.split(".", maxsplit=1)[0]

    def belongs(thing: object) -> bool:  # C accelerators call themselves _bisect where the library says bisect
        return str(getattr(thing, "__module__", "")).split(".")[0].lstrip("_") == root

    return [short for short, thing in vars(module).items() if not short.startswith("_") and belongs(thing)]


def _methods(owner: str, kind: type, seen: set[str]) -> Iterator[Entry]:
    for short, raw in sorted(vars(kind).items()):
        bound = isinstance(raw, (classmethod, staticmethod))
        if short.startswith("_") or not (bound or inspect.isroutine(raw) or isinstance(raw, property)):
            continue
        thing = raw.__func__ if bound else raw
        if text := _own_text(thing, seen):
            signature = (
                "" if isinstance(raw, property) else _signature(thing, drop_first=not isinstance(raw, staticmethod))
            )
            yield Entry(kind="method", name=f"{owner}.{short}", signature=signature, text=text)


def _own_text(thing: object, seen: set[str]) -> str:
    own = vars(thing).get("__doc__") if inspect.isclass(thing) else getattr(thing, "__doc__", None)
    text = _printable(inspect.getdoc(thing) or "") if isinstance(own, str) else ""
    if text in seen:
        return ""
    seen.add(text)
    return text


def _signature(thing: Callable[..., object], *, drop_first: bool = False) -> str:
    try:
        signature = inspect.signature(thing)
    except (ValueError, TypeError):  # written in C without one: the docstring's first line has it
        return ""
    parameters = list(signature.parameters.values())[1 if drop_first else 0 :]
    shown = signature.replace(parameters=[item.replace(default=_default(item.default)) for item in parameters])
    return textwrap.shorten(_printable(str(shown)), 400, placeholder=" ...)")


class _Shown(str):
    """Text that a signature prints without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def _default(value: object) -> object:
    """The value as it may be printed: live objects and paths differ from one process or machine to the next."""
    if isinstance(value, type):
        return value if value is inspect.Parameter.empty else _Shown(value.__name__)
    if not isinstance(value, (str, bytes, int, float, complex, tuple, type(None))) or isinstance(value, Enum):
        return _Shown("...")
    return _Shown("...") if str(value).startswith((sys.prefix, sys.base_prefix)) else value


def _printable(text: str) -> str:
    """The text in characters the standard PDF fonts have (Windows-1252), without addresses of objects."""
    text = re.sub(r" at 0x[0-9A-Fa-f]+", "", text)
    return "".join(_glyphs(character) for character in text.expandtabs())


@cache
def _glyphs(character: str) -> str:
    if character == "\n" or " " <= character <= "~":
        return character
    if unicodedata.category(character) in {"Cc", "Cf"}:
        return ""
    if "\u2500" <= character <= "\u257f":  # box drawings: trees and tables keep their shape
        return {"\u2500": "-", "\u2502": "|"}.get(character, "+")
    for spelling in (character, unicodedata.normalize("NFKC", character), unicodedata.normalize("NFKD", character)):
        known = spelling.encode("cp1252", "ignore").decode("cp1252").replace("\xa0", " ")
        if known:
            return known
    return f"U+{ord(character):04X}"


# How the book is set


def _set(parts: Iterable[Entry]) -> Iterator[Line]:
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
    columns = int(MEASURE / _width("0", SIGNATURE))
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
    room, space = MEASURE - indent, _width(" ", PROSE)
    rows: list[tuple[list[str], float]] = []
    words: list[str] = []
    taken = 0.0
    for word in " ".join(lines).split():
        width = _width(word, PROSE)
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


def _set_code(lines: Sequence[str], indent: float) -> Iterator[Line]:
    """Lines as they are: smaller where the longest would not fit, and wrapped only where that is not enough."""
    per_column = _width("0", CODE) / CODE.size
    fitting = (MEASURE - indent) / (max(map(len, lines)) * per_column)
    style = replace(CODE, size=min(CODE.size, max(fitting, 6.6)))
    columns = int((MEASURE - indent) / (style.size * per_column) + 1e-6)
    wrap = textwrap.TextWrapper(columns, subsequent_indent=" " * 8, break_on_hyphens=False, drop_whitespace=False)
    wrapped = [text for line in lines for text in (wrap.wrap(line) if len(line) > columns else [line])]
    for number, text in enumerate(wrapped):
        first = number == 0
        yield Line(text=text, style=style, indent=indent, before=5 if first else 0, keep=first and len(wrapped) > 1)


@cache
def _width(text: str, style: Style) -> float:
    return float(stringWidth(text, style.font, style.size))


def _paginate(lines: Iterable[Line]) -> Iterator[Sequence[Line]]:
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


def _front_matter(starts: dict[str, int]) -> list[Sheet]:
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
    pages = [("", cover), ("", imprint), *(("Contents", page) for page in _paginate(contents))]
    return [
        Sheet(lines=lines, header=header, label=label)
        for (header, lines), label in zip(pages, ("i", "ii", "iii", "iv", "v", "vi"), strict=False)
    ]


# How it becomes a file


def _draw(path: Path, front: Sequence[Sheet], body: Sequence[Sheet], starts: dict[str, int]) -> None:
    canvas = Canvas(str(path), pagesize=A5, invariant=1, pageCompression=1)
    canvas.setTitle(f"{TITLE} (Python {platform.python_version()})")
    canvas.setAuthor("Python Software Foundation and contributors")
    canvas.setSubject("Docstrings of the standard library")
    canvas.setCreator("hmt-qa")
    canvas.addPageLabel(0, style="ROMAN_LOWER", start=1)
    canvas.addPageLabel(len(front), style="ARABIC", start=1)
    chapters = {page: name for name, page in starts.items()}
    for sheet in front:
        _draw_sheet(canvas, sheet)
    for number, sheet in enumerate(body, start=1):
        if number in chapters:
            canvas.bookmarkPage(chapters[number])
            canvas.addOutlineEntry(chapters[number], chapters[number], level=0)
        _draw_sheet(canvas, sheet)
    canvas.showOutline()
    canvas.save()


def _draw_sheet(canvas: Canvas, sheet: Sheet) -> None:
    if sheet.header:
        canvas.setFont(SMALL.font, SMALL.size)
        canvas.drawString(MARGIN, HEIGHT - 42, sheet.header)
        canvas.drawRightString(WIDTH - MARGIN, HEIGHT - 42, "The Python Standard Library")
        canvas.setLineWidth(0.4)
        canvas.line(MARGIN, HEIGHT - 47, WIDTH - MARGIN, HEIGHT - 47)
        canvas.setFont(PROSE.font, 9)
        canvas.drawCentredString(WIDTH / 2, 34, sheet.label)
    text = canvas.beginText()
    y = HEIGHT - TOP
    for line in sheet.lines:
        y -= line.before + line.style.leading
        text.setFont(line.style.font, line.style.size)
        text.setWordSpace(line.stretch)
        text.setTextOrigin(MARGIN + line.indent, y)
        text.textOut(line.text)
        if line.right:
            room = MEASURE - _width(line.text, line.style) - _width(line.right, line.style)
            tail = " ." * int(room / _width(" .", line.style) - 1) + "  " + line.right
            text.setTextOrigin(WIDTH - MARGIN - _width(tail, line.style), y)
            text.textOut(tail)
    canvas.drawText(text)
    canvas.showPage()
