"""HTML as text: blocks on lines of their own, cells side by side, what is not shown left out; cut at headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from hmt_ingest.readers.parts import Part, tidy

_HIDDEN = frozenset("head script style template noscript iframe object svg canvas audio video datalist select".split())
_BLOCKS = frozenset(
    "address article aside blockquote body center dd details dialog dir div dl dt fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol optgroup p pre search section summary "
    "table tbody tfoot thead tr ul".split()
)
_PARAGRAPHS = frozenset("blockquote dl figure h1 h2 h3 h4 h5 h6 ol p pre section table ul".split())
_BOXES = frozenset("td th li".split())
_SPACE = re.compile(r"[^\S\u00a0]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkupText:
    """What an HTML text says: its title, and its parts, which begin at headings of the first two ranks.

    What stands before the first heading has no label. A text of pictures only is one part that says so.
    """

    title: str
    parts: tuple[Part, ...]


def read_markup(markup: str) -> MarkupText:
    """The visible text of `markup`."""
    parser = LexborHTMLParser(markup)
    stated = parser.css_first("title")
    writer = _Writer()
    if parser.root is not None:
        _walk(parser.root, writer)
    parts = tuple(writer.parts())
    if not parts and parser.css_first("img, image, canvas") is not None:
        parts = (Part(label="", text="", unread="a picture"),)
    heading = next((part.label for part in parts if part.label), "")
    return MarkupText(title=(stated.text() if stated is not None else "") or heading, parts=parts)


def plain_text(markup: str) -> str:
    """The visible text of `markup` in one piece."""
    return "".join(part.text for part in read_markup(markup).parts)


def _walk(root: LexborNode, writer: _Writer) -> None:
    """Depth first without recursion: markup may be nested as deep as it likes."""
    node: LexborNode | None = root
    while node is not None:
        inside = node.child if writer.enter(node) else None
        while inside is None:
            writer.leave(node)
            if node.mem_id == root.mem_id or node.parent is None:
                return
            inside = node.next
            node = node.parent if inside is None else node
        node = inside


@dataclass(slots=True)
class _Writer:
    """Collects text; line ends are owed until more text comes."""

    label: str = ""
    _pieces: list[str] = field(default_factory=list)
    _sections: list[tuple[str, str]] = field(default_factory=list)
    _line_ends: int = 0
    _preformatted: int = 0
    _first_cell: bool = True
    _row_from: int = 0
    _fresh: bool = False  # in a cell or an item, before its first text: paragraphs begin where they are

    def enter(self, node: LexborNode) -> bool:
        """Write what comes before the inside of `node`; whether its inside is shown."""
        tag = node.tag or ""
        if tag == "-text":
            self._write(node.text_content or "")
        elif tag == "img":
            self._write(node.attributes.get("alt") or "")
        elif tag in ("h1", "h2"):
            self._close_section()
        elif tag in ("td", "th"):
            self._begin_cell()
        self._break(tag)
        if tag == "li":
            self._put("- ")
            self._fresh = True
        if tag == "tr":
            self._first_cell, self._row_from = True, len(self._pieces)
        self._preformatted += tag == "pre"
        return not (tag in _HIDDEN or (tag.startswith("-") and tag != "-document") or "hidden" in node.attributes)

    def leave(self, node: LexborNode) -> None:
        """Write what comes after the inside of `node`."""
        tag = node.tag or ""
        self._preformatted -= tag == "pre"
        if tag in ("h1", "h2"):
            self.label = " ".join("".join(self._pieces).split()) or self.label
        if tag in _BOXES:
            self._line_ends, self._fresh = min(self._line_ends, 1), False
        self._break(tag)

    def parts(self) -> Iterator[Part]:
        """What was written."""
        self._close_section()
        for label, text in self._sections:
            yield Part(label=label, text=text)

    def _close_section(self) -> None:
        if text := tidy("".join(self._pieces)):
            self._sections.append((self.label, text))
        self._pieces.clear()

    def _begin_cell(self) -> None:
        """Cells of a row stand on one line, whatever paragraphs they are made of."""
        if not self._first_cell:
            if len(self._pieces) > self._row_from:
                self._line_ends = 0
                self._pieces[-1] = self._pieces[-1].rstrip(" ")
            self._put(" | ")
        self._first_cell, self._fresh = False, True

    def _break(self, tag: str) -> None:
        if self._fresh:
            return
        ends = 2 if tag in _PARAGRAPHS else int(tag in _BLOCKS or tag == "br")
        self._line_ends = max(self._line_ends, ends)

    @property
    def _at_line_start(self) -> bool:
        return self._line_ends > 0 or not self._pieces

    def _write(self, text: str) -> None:
        if not self._preformatted:
            text = _SPACE.sub(" ", text)
            if self._at_line_start or self._pieces[-1].endswith(" "):
                text = text.lstrip(" ")
        if text:
            self._put(text)

    def _put(self, text: str) -> None:
        if self._pieces:
            self._pieces.append("\n" * self._line_ends)
        self._pieces.append(text)
        self._line_ends, self._fresh = 0, False
