"""The library as HTML; every word that is not ours is escaped. Knows neither Gradio nor the library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from hmt_qa.types import Document
from hmt_ui.placing import place_in_words
from hmt_ui.web.words import day, plural

NO_DOCUMENTS = (
    '<p class="hmt-empty"><strong>No documents yet.</strong> Drop a PDF, a text or a source file above. '
    "It is read once; after that you can ask it as often as you like. Or begin with the example.</p>"
)


def header(user: str = "") -> str:
    """The page's head; who has logged in can log out."""
    leave = (
        f'<form method="post" action="logout" class="hmt-leave"><span>{escape(user)}</span>'
        '<button class="hmt-act">Log out</button></form>'
        if user
        else ""
    )
    return (
        '<header class="hmt-head"><h1>hmt-qa</h1><p>Ask long documents. Each is read once into a small memory; answers '
        f"show where they stand. Everything stays on this machine.</p>{leave}</header>"
    )


def folder(collection: str = "") -> str:
    """The button that sends a whole folder; `page.js` asks the browser for it."""
    into = f'data-collection="{escape(collection)}"'
    return (
        f'<button type="button" class="hmt-act" id="folder" {into}>Add a folder …</button>'
        '<span class="hmt-quiet"> or drop a zipped one above</span>'
    )


def library(documents: Sequence[Document], *, collection: str = "") -> str:
    """How much there is to ask."""
    if not documents and collection:
        return f'<p class="hmt-empty">Nothing in the collection {escape(collection)} yet. What you add goes there.</p>'
    if not documents:
        return NO_DOCUMENTS
    pages, tokens = sum(document.pages for document in documents), sum(document.tokens for document in documents)
    total = f"{plural(len(documents), 'document')} · {plural(pages, 'page')} · {plural(tokens, 'token')}"
    return f'<p class="hmt-quiet">{total}. Choose which to ask; with none chosen, all are asked.</p>'


def choice(document: Document, uploads: Path) -> str:
    """A document in the list as plain text, two lines, unformatted; one of a folder has its place there."""
    figures = [plural(document.pages, "page"), plural(document.tokens, "token"), plural(document.segments, "segment")]
    name, place = Path(document.path).name, place_in_words(document.path, uploads)
    title, where = " ".join(document.title.split()) or name, [place] if place != name else []
    return f"{title}\n{' · '.join([*where, *figures])} · added {day(document.added_at)}"


def collections(named: Sequence[str]) -> list[tuple[str, str]]:
    """The choice of collections; "" is all of them."""
    return [("All collections", ""), *((name, name) for name in dict.fromkeys(named))]


def notice(text: str, *, bad: bool = False) -> str:
    """One line about what was just done."""
    return f'<p class="hmt-notice{" hmt-bad" if bad else ""}" role="status">{escape(text)}</p>' if text else ""


def deletion(titles: Sequence[str]) -> str:
    """What is asked before documents are deleted."""
    names = "".join(f'<li dir="auto">{escape(title)}</li>' for title in titles)
    what = "this document" if len(titles) == 1 else f"these {len(titles)} documents"
    return f'<p>Delete {what} for good, with text, memory and uploaded copy?</p><ul class="hmt-titles">{names}</ul>'
