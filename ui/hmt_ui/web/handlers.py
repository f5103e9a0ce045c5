"""What happens on each event of the page: values in, component updates out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from hmt_qa import DocumentQA
from hmt_qa.errors import HmtQaError
from hmt_qa.types import JobState, Mode
from hmt_ui.web import views
from hmt_ui.web.asking import turns
from hmt_ui.web.inbox import INTERNAL_ERROR, Inbox
from hmt_ui.web.warming import Warming

_log = logging.getLogger(__name__)

BUSY_SECONDS = 0.7
IDLE_SECONDS = 3.0  # another process may be ingesting into the same library
JOBS_READ = 40

Update = Any
"""A Gradio component's new value or properties; Gradio ships no types for it."""


class Handlers:
    """The page's events over one library; holds no state of any visitor."""

    def __init__(self, qa: DocumentQA, inbox: Inbox, warming: Warming) -> None:
        self._qa = qa
        self._inbox = inbox
        self._warming = warming

    def refresh(self, seen: str, chosen: Sequence[str]) -> tuple[Update, ...]:
        """Jobs, summary, choice of documents, delete button, timer, and all this as text.

        Nothing is sent where that text is what was `seen` last; `chosen` stays chosen.
        """
        try:
            rows, documents = self._qa.jobs(limit=JOBS_READ), self._qa.documents()
        except HmtQaError as problem:
            return (views.notice(str(problem), bad=True), *[gr.skip()] * 3, gr.Timer(IDLE_SECONDS), "")
        waiting = self._inbox.waiting
        jobs = views.jobs(rows, waiting=waiting, failures=self._inbox.failures)
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

    def upload(self, files: Sequence[str] | None) -> tuple[Update, Update]:
        """Take files over and put them in line; the drop area (emptied) and a notice."""
        said: list[str] = []
        bad = False
        for file in map(Path, files or ()):
            if not file.exists():
                continue  # taken over before: the drop area sends what it held along with what is new
            try:
                accepted = self._inbox.accept(file)
            except HmtQaError as problem:
                said, bad = [*said, f"{file.name}: {problem}"], True
            except OSError as problem:
                _log.exception("upload_not_kept name=%s", file.name)
                said, bad = [*said, f"{file.name} could not be kept: {problem.strerror}."], True
            else:
                if accepted.known:
                    said.append(f"{accepted.path.name} is in the library already, unchanged.")
        return None, views.notice(" ".join(said), bad=bad)

    def ask(self, question: str, chosen: Sequence[str], mode: str, top: float) -> Iterator[tuple[Update, ...]]:
        """Answer, sources, ask button, stop button; the answer grows until it is whole."""
        begun = gr.skip() if self._warming.over else views.LOADING
        yield begun, "", gr.Button(interactive=False), gr.Button(interactive=True)
        self._warming.wait()
        for turn in turns(self._qa, question, documents=list(chosen), mode=Mode(mode), top=int(top)):
            found = views.sources(turn.answer) if turn.answer else ""
            yield views.question(turn), found, gr.skip(), gr.skip()
        yield gr.skip(), gr.skip(), *ready()

    def question_delete(self, chosen: Sequence[str]) -> tuple[Update, Update, Update]:
        """Show what would be deleted; the confirmation, its words and a notice."""
        titles = [document.title for document in self._qa.documents() if document.id in set(chosen)]
        if not titles:
            return gr.Group(visible=False), "", views.notice("Choose the documents to delete first.")
        return gr.Group(visible=True), views.deletion(titles), ""

    def delete(self, chosen: Sequence[str]) -> tuple[Update, Update, Update]:
        """Delete for good; the confirmation (hidden), the choice (none) and a notice."""
        said: list[str] = []
        bad = False
        for identity in chosen:
            try:
                gone = self._qa.remove(identity)
                self._inbox.discard(gone.path)
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
