"""What happens on the asking side of the page: questions, conversations that are kept, where a question looked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any

import gradio as gr

from hmt_qa import DocumentQA
from hmt_qa.errors import HmtQaError, UnknownConversation
from hmt_qa.types import Answer, Conversation, Mode, PageWeight
from hmt_ui.service import answers
from hmt_ui.service.desk import Desk
from hmt_ui.service.visitor import visitor_of
from hmt_ui.web import answer_views as views
from hmt_ui.web.asking import turns
from hmt_ui.web.checking import asked_again, judged
from hmt_ui.web.views import notice

CHECK, CHECKING = "Check this answer", "Checking …"
STRIPS = 3  # documents whose pages are shown

Update = Any
"""A Gradio component's new value or properties; Gradio ships no types for it."""


class Talk:
    """The events of asking; which conversation a visitor is in is the page's to keep."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ask(  # noqa: PLR0917 - Gradio calls by position
        self,
        question: str,
        chosen: Sequence[str],
        collection: str,
        kept: str,
        mode: str,
        top: float,
        request: gr.Request,
    ) -> AsyncIterator[tuple[Update, ...]]:
        """Answer, sources, earlier turns, ask, stop and check buttons, conversation, until the answer is whole."""
        mine = self._mine(request)
        begun = gr.skip() if self._desk.warming.over else views.LOADING
        yield begun, "", gr.skip(), gr.Button(interactive=False), gr.Button(interactive=True), offered(False), gr.skip()
        try:
            talk = _conversation(mine, kept, "" if chosen else collection, chosen)
        except HmtQaError as problem:
            yield notice(str(problem), bad=True), "", gr.skip(), *ready(), *[gr.skip()] * 2
            return
        try:
            yield *[gr.skip()] * 2, views.earlier(mine.turns(talk.id)), *[gr.skip()] * 3, talk.id
            stream = mine.chat(talk.id, question, mode=Mode(mode), top=int(top))
            async with aclosing(turns(self._desk, question, stream)) as growing:
                async for turn in growing:
                    found = views.sources(turn.answer) if turn.answer else ""
                    yield views.question(turn), found, *[gr.skip()] * 5
            if turn.answer:  # only now: the question's place in the line is free
                found = views.sources(turn.answer, await self._looked(mine, question, turn.answer))
                yield gr.skip(), found, *[gr.skip()] * 5
        finally:
            if not mine.conversation(talk.id).turns:
                mine.remove_conversation(talk.id)  # nothing was said in it
        answered = turn.answer is not None and turn.answer.answerable
        yield *[gr.skip()] * 3, *ready(), offered(answered), talk.id

    async def check(self, kept: str, top: float, request: gr.Request) -> AsyncIterator[tuple[Update, ...]]:
        """Ask the last question again without the places cited; the sources with the verdict, button, notice."""
        yield gr.skip(), gr.Button(CHECKING, interactive=False), ""
        yield await self._checked(kept, int(top), request)

    async def _checked(self, kept: str, top: int, request: gr.Request) -> tuple[Update, ...]:
        mine = self._mine(request)
        try:
            talk, turn = mine.conversation(kept), mine.turns(kept)[-1]
            again = await answers.answer(self._desk, asked_again(mine, talk, turn, top=top))
        except HmtQaError as problem:
            return gr.skip(), offered(), notice(str(problem), bad=True)
        checked = judged(turn.answer, again)
        found = views.sources(checked, await self._looked(mine, turn.question, checked))
        return found, offered(False), notice(views.OTHERWISE) if checked.verified is None else ""

    def conversations(self, request: gr.Request) -> Update:
        """The list of kept conversations."""
        listed = self._mine(request).conversations()
        return gr.Dropdown(choices=[(views.conversation(one), one.id) for one in listed if one.turns], value=None)

    async def take_up(self, chosen: str | None, request: gr.Request) -> tuple[Update, ...]:
        """Show a kept conversation; answer, sources, earlier turns, check button, conversation."""
        if not chosen:
            return (gr.skip(),) * 5
        mine = self._mine(request)
        try:
            said = mine.turns(chosen)
        except HmtQaError as problem:
            return notice(str(problem), bad=True), "", "", offered(False), ""
        last = said[-1]
        looked = await self._looked(mine, last.question, last.answer)
        return (
            views.whole(last.question, last.answer),
            views.sources(last.answer, looked),
            views.earlier(said[:-1]),
            offered(last.answer.answerable),
            chosen,
        )

    def begin_anew(self) -> tuple[Update, ...]:
        """Answer, sources, earlier turns, check button, conversation and list: none of any."""
        return views.NO_QUESTION, "", "", offered(False), "", None

    def forget(self, kept: str, request: gr.Request) -> tuple[Update, ...]:
        """Delete the conversation that is shown; then as `begin_anew`."""
        with suppress(UnknownConversation):  # gone already, or none yet
            self._mine(request).remove_conversation(kept)
        return self.begin_anew()

    def _mine(self, request: gr.Request) -> DocumentQA:
        return self._desk.of(visitor_of(request).name)

    async def _looked(self, mine: DocumentQA, question: str, answer: Answer) -> Mapping[str, Sequence[PageWeight]]:
        """The weight of each page of the documents cited; nothing where that cannot be told."""
        cited = list(dict.fromkeys(citation.document for citation in answer.citations))[:STRIPS]
        try:
            return await answers.alone(self._desk, lambda: {one: mine.heat(question, document=one) for one in cited})
        except HmtQaError:
            return {}


def offered(there: bool = True) -> Update:
    """The check button, where there is something to check."""
    return gr.Button(CHECK, interactive=True, visible=there)


def ready() -> tuple[Update, Update]:
    """Ask and stop buttons while nothing is being answered."""
    return gr.Button(interactive=True), gr.Button(interactive=False)


def stopped(answer: str) -> tuple[Update, ...]:
    """After a stop: what was written so far, a word under it, and the buttons."""
    return gr.skip() if views.is_begun(answer) else "", notice("Stopped."), *ready()


def _conversation(mine: DocumentQA, kept: str, collection: str, chosen: Sequence[str]) -> Conversation:
    """The conversation that goes on, or a new one where another choice of documents is asked."""
    if kept:
        try:
            talk = mine.conversation(kept)
        except UnknownConversation:
            talk = None
        if talk and (talk.collection or "", set(talk.documents)) == (collection, set(chosen)):
            return talk
    return mine.new_conversation(collection=collection or None, documents=chosen)
