"""What happens on each event of the page: values in, component updates out."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import gradio as gr

from hmt_qa.errors import HmtQaError
from hmt_qa.types import JobState, Mode
from hmt_ui.placing import DEFAULT_COLLECTION
from hmt_ui.service.desk import Desk
from hmt_ui.service.problems import INTERNAL_ERROR
from hmt_ui.service.visitor import visitor_of
from hmt_ui.web import views
from hmt_ui.web.asking import turns

_log = logging.getLogger(__name__)

BUSY_SECONDS = 0.7
IDLE_SECONDS = 3.0  # another process may be ingesting into the same library
JOBS_READ = 40

Update = Any
"""A Gradio component's new value or properties; Gradio ships no types for it."""


class Handlers:
    """The page's events over one library; holds no state of any visitor."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def refresh(self, seen: str, chosen: Sequence[str], request: gr.Request) -> tuple[Update, ...]:
        """Jobs, summary, choice of documents, delete button, timer, and all this as text.

        Nothing is sent where that text is what was `seen` last; `chosen` stays chosen.
        """
        visitor = visitor_of(request)
        mine = self._desk.of(visitor.name)
        try:
            rows, documents = mine.jobs(limit=JOBS_READ), mine.documents()
        except HmtQaError as problem:
            return (views.notice(str(problem), bad=True), *[gr.skip()] * 3, gr.Timer(IDLE_SECONDS), "")
        inbox = self._desk.inbox
        waiting = [file.path for file in inbox.waiting if visitor.owns(file.collection)]
        failures = {str(file.path): why for file, why in inbox.failures.items() if visitor.owns(file.collection)}
        jobs = views.jobs(rows, waiting=waiting, failures=failures)
        summary = views.library(documents)
        choices = [(views.choice(document), document.id) for document in documents]
        now = repr((jobs, summary, choices))
        if now == seen:
            return (gr.skip(),) * 6
        kept = [identity for _, identity in choices if identity in set(chosen)]
        busy = bool(waiting) or any(job.state is JobState.RUNNING for job in rows)
        return (
            jobs,
            summary,
            gr.CheckboxGroup(choices=choices, value=kept, visible=bool(choices)),
            gr.Button(visible=bool(choices)),
            gr.Timer(BUSY_SECONDS if busy else IDLE_SECONDS),
            now,
        )

    def upload(self, files: Sequence[str] | None, request: gr.Request) -> tuple[Update, Update]:
        """Take files over and put them in line; the drop area (emptied) and a notice."""
        collection = visitor_of(request).stored(DEFAULT_COLLECTION)
        said: list[str] = []
        bad = False
        for file in map(Path, files or ()):
            if not file.exists():
                continue  # taken over before: the drop area sends what it held along with what is new
            try:
                accepted = self._desk.inbox.accept(file, collection=collection)
            except HmtQaError as problem:
                said, bad = [*said, f"{file.name}: {problem}"], True
            except OSError as problem:
                _log.exception("upload_not_kept name=%s", file.name)
                said, bad = [*said, f"{file.name} could not be kept: {problem.strerror}."], True
            else:
                if accepted.known:
                    said.append(f"{accepted.path.name} is in the library already, unchanged.")
        return None, views.notice(" ".join(said), bad=bad)

    async def ask(
        self, question: str, chosen: Sequence[str], mode: str, top: float, request: gr.Request
    ) -> AsyncIterator[tuple[Update, ...]]:
        """Answer, sources, ask button, stop button; the answer grows until it is whole."""
        begun = gr.skip() if self._desk.warming.over else views.LOADING
        yield begun, "", gr.Button(interactive=False), gr.Button(interactive=True)
        mine = self._desk.of(visitor_of(request).name)
        stream = mine.stream(question, documents=list(chosen), mode=Mode(mode), top=int(top))
        async with aclosing(turns(self._desk, question, stream)) as growing:
            async for turn in growing:
                found = views.sources(turn.answer) if turn.answer else ""
                yield views.question(turn), found, gr.skip(), gr.skip()
        yield gr.skip(), gr.skip(), *ready()

    def question_delete(self, chosen: Sequence[str], request: gr.Request) -> tuple[Update, Update, Update]:
        """Show what would be deleted; the confirmation, its words and a notice."""
        mine = self._desk.of(visitor_of(request).name)
        titles = [document.title for document in mine.documents() if document.id in set(chosen)]
        if not titles:
            return gr.Group(visible=False), "", views.notice("Choose the documents to delete first.")
        return gr.Group(visible=True), views.deletion(titles), ""

    def delete(self, chosen: Sequence[str], request: gr.Request) -> tuple[Update, Update, Update]:
        """Delete for good; the confirmation (hidden), the choice (none) and a notice."""
        said: list[str] = []
        bad = False
        mine = self._desk.of(visitor_of(request).name)
        for identity in chosen:
            try:
                gone = mine.remove(identity)
                self._desk.inbox.discard(gone.path)
                said.append(f"Deleted {gone.title}.")
            except HmtQaError as problem:
                said, bad = [*said, str(problem)], True
            except Exception:
                _log.exception("not_deleted document=%s", identity)
                said, bad = [*said, INTERNAL_ERROR], True
        return gr.Group(visible=False), [], views.notice(" ".join(said), bad=bad)


def ready() -> tuple[Update, Update]:
    """Ask and stop buttons while nothing is being answered."""
    return gr.Button(interactive=True), gr.Button(interactive=False)


def stopped(answer: str) -> tuple[Update, ...]:
    """After a stop: what was written so far, a word under it, and the buttons."""
    return gr.skip() if views.is_begun(answer) else "", views.notice("Stopped."), *ready()
