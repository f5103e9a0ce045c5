"""What happens on the library's side of the page: values in, component updates out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from hmt_qa import DocumentQA
from hmt_qa.errors import HmtQaError
from hmt_qa.types import JobState
from hmt_ui.placing import DEFAULT_COLLECTION
from hmt_ui.service import folders
from hmt_ui.service.desk import Desk
from hmt_ui.service.limits import check_collection
from hmt_ui.service.problems import INTERNAL_ERROR
from hmt_ui.service.visitor import visitor_of
from hmt_ui.web import example, job_views, views
from hmt_ui.web.words import plural

_log = logging.getLogger(__name__)

BUSY_SECONDS = 0.7
IDLE_SECONDS = 3.0  # another process may be ingesting into the same library
JOBS_READ = 40

Update = Any
"""A Gradio component's new value or properties; Gradio ships no types for it."""


class Shelf:
    """The library's events; holds no state of any visitor."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def greet(self, request: gr.Request) -> str:
        """The page's head, with a way out for who has logged in."""
        return views.header(visitor_of(request).name)

    def refresh(self, seen: str, chosen: Sequence[str], collection: str, request: gr.Request) -> tuple[Update, ...]:
        """Jobs, summary, documents, collections, what can be done with documents, example, timer, and all as text.

        Nothing is sent where that text is what was `seen` last; `chosen` stays chosen.
        """
        visitor = visitor_of(request)
        mine = self._desk.of(visitor.name)
        try:
            rows, everything = mine.jobs(limit=JOBS_READ), mine.documents()
        except HmtQaError as problem:
            return (views.notice(str(problem), bad=True), *[gr.skip()] * 5, gr.Timer(IDLE_SECONDS), "")
        inbox = self._desk.inbox
        waiting = [file.path for file in inbox.waiting if visitor.owns(file.collection)]
        failures = {str(file.path): why for file, why in inbox.failures.items() if visitor.owns(file.collection)}
        jobs = job_views.jobs(rows, uploads=inbox.uploads, waiting=waiting, failures=failures)
        documents = [document for document in everything if collection in {"", document.collection}]
        summary = views.library(documents, collection=collection)
        choices = [(views.choice(document, inbox.uploads), document.id) for document in documents]
        collections = views.collections([document.collection for document in everything])
        now = repr((jobs, summary, choices, collections))
        if now == seen:
            return (gr.skip(),) * 8
        kept = [identity for _, identity in choices if identity in set(chosen)]
        busy = bool(waiting) or any(job.state is JobState.RUNNING for job in rows)
        return (
            jobs,
            summary,
            gr.CheckboxGroup(choices=choices, value=kept, visible=bool(choices)),
            gr.Dropdown(choices=collections),
            gr.Row(visible=bool(choices)),
            gr.Button(visible=not everything and not busy),
            gr.Timer(BUSY_SECONDS if busy else IDLE_SECONDS),
            now,
        )

    def upload(self, files: Sequence[str] | None, collection: str, request: gr.Request) -> tuple[Update, Update]:
        """Take files over and put them in line; the drop area (emptied) and a notice."""
        said: list[str] = []
        bad = False
        for file in map(Path, files or ()):
            if not file.exists():
                continue  # taken over before: the drop area sends what it held along with what is new
            try:
                stored = visitor_of(request).stored(check_collection(collection or DEFAULT_COLLECTION))
                said.append(self._taken(file, stored))
            except HmtQaError as problem:
                said, bad = [*said, f"{file.name}: {problem}"], True
            except OSError as problem:
                _log.exception("upload_not_kept name=%s", file.name)
                said, bad = [*said, f"{file.name} could not be kept: {problem.strerror}."], True
        return None, views.notice(" ".join(filter(None, said)), bad=bad)

    def _taken(self, file: Path, collection: str) -> str:
        """Put a file, or those of a zip, in line; what there is to say of it."""
        if file.suffix.lower() == folders.ZIP:
            taken = folders.take_zip(self._desk, file, collection=collection)
            file.unlink()
            return f"{taken.name}: {plural(len(taken.files), 'file')}. {folders.reasons(taken.left_out)}"
        accepted = self._desk.inbox.accept(file, collection=collection)
        self._desk.figures.uploaded()
        return f"{accepted.path.name} is in the library already, unchanged." if accepted.known else ""

    def example(self, request: gr.Request) -> tuple[Update, Update, Update]:
        """Put the example in line; its button, a notice, and a question to ask it."""
        try:
            example.add(self._desk.inbox, collection=visitor_of(request).stored(DEFAULT_COLLECTION))
        except HmtQaError as problem:
            return gr.skip(), views.notice(str(problem), bad=True), gr.skip()
        words = "The example is being read: some chapters of Python's reference. Ask when it is in the library."
        return gr.Button(visible=False), views.notice(words), example.QUESTION

    def question_rename(self, chosen: Sequence[str], request: gr.Request) -> tuple[Update, Update, Update]:
        """Ask for another title; the form, its field and a notice."""
        titles = self._titles(chosen, request)
        if len(titles) != 1:
            return gr.Group(visible=False), "", views.notice("Choose one document to rename.")
        return gr.Group(visible=True), titles[0], ""

    def rename(self, chosen: Sequence[str], title: str, request: gr.Request) -> tuple[Update, Update]:
        """Give the document another title; the form (hidden) and a notice."""
        if not title.strip():
            return gr.skip(), views.notice("A title has at least one word.", bad=True)
        mine = self._desk.of(visitor_of(request).name)
        said, bad = _each(chosen[:1], lambda identity: f"Renamed to {mine.rename(identity, title.strip()).title}.")
        return gr.Group(visible=False), views.notice(said, bad=bad)

    def question_delete(self, chosen: Sequence[str], request: gr.Request) -> tuple[Update, Update, Update]:
        """Show what would be deleted; the confirmation, its words and a notice."""
        titles = self._titles(chosen, request)
        if not titles:
            return gr.Group(visible=False), "", views.notice("Choose the documents to delete first.")
        return gr.Group(visible=True), views.deletion(titles), ""

    def delete(self, chosen: Sequence[str], request: gr.Request) -> tuple[Update, Update, Update]:
        """Delete for good; the confirmation (hidden), the choice (none) and a notice."""
        mine = self._desk.of(visitor_of(request).name)
        said, bad = _each(chosen, lambda identity: f"Deleted {self._removed(mine, identity)}.")
        return gr.Group(visible=False), [], views.notice(said, bad=bad)

    def _removed(self, mine: DocumentQA, identity: str) -> str:
        gone = mine.remove(identity)
        self._desk.inbox.discard(gone.path)
        return gone.title

    def _titles(self, chosen: Sequence[str], request: gr.Request) -> list[str]:
        documents = self._desk.of(visitor_of(request).name).documents()
        return [document.title for document in documents if document.id in set(chosen)]


def _each(chosen: Sequence[str], work: Callable[[str], str]) -> tuple[str, bool]:
    """What came of the work on each document, and whether any of it failed."""
    said: list[str] = []
    bad = False
    for identity in chosen:
        try:
            said.append(work(identity))
        except HmtQaError as problem:
            said, bad = [*said, str(problem)], True
        except Exception:
            _log.exception("document_event_failed document=%s", identity)
            said, bad = [*said, INTERNAL_ERROR], True
    return " ".join(said), bad
