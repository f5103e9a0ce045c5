"""The layout of the page, and which event calls which handler."""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

from hmt_qa.app import EVIDENCE_PLACES
from hmt_qa.types import Mode
from hmt_ui.service.desk import Desk
from hmt_ui.service.schemas import MOST_PLACES
from hmt_ui.web import answer_views, views
from hmt_ui.web.shelf import BUSY_SECONDS, Shelf
from hmt_ui.web.talk import CHECK, Talk, stopped

SPARE = 64  # events of other kinds, beside the questions that may wait

_MODES = [
    ("Evidence: recalled places are read again word for word (exact, the default)", Mode.EVIDENCE.value),
    ("Memory: from the memory alone, without reading again (faster, rough)", Mode.MEMORY.value),
]
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_AT_ONCE: dict[str, Any] = {"queue": False, **_PRIVATE}


class Chosen(NamedTuple):
    """What is asked: components of the library's side that the other side reads."""

    documents: Any
    collection: Any


def compose(desk: Desk) -> gr.Blocks:
    """The page over a desk whose inbox the caller starts and stops."""
    shelf, talk = Shelf(desk), Talk(desk)
    with gr.Blocks(title="hmt-qa", analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)) as page:
        head = _text(views.header())
        page.load(shelf.greet, None, head, **_AT_ONCE)
        with gr.Row(elem_classes="hmt-columns"):
            with gr.Column(scale=2, min_width=320, elem_id="library"):
                chosen, example, notice = _library(page, shelf)
            with gr.Column(scale=3, min_width=320, elem_id="asking"):
                question = _asking(page, talk, chosen, longest=desk.limits.question_characters)
        example.click(shelf.example, None, [example, notice, question], **_PRIVATE)
    page.queue(max_size=desk.limits.waiting + SPARE, default_concurrency_limit=4, api_open=False)
    return page


def _library(page: gr.Blocks, shelf: Shelf) -> tuple[Chosen, Any, Any]:
    """Left: upload, progress, documents. Returns the choice, the example's button and the notice."""
    drop = gr.File(label="Add documents", file_count="multiple", height=132, elem_id="drop")
    example = gr.Button("Add the example document", size="sm", visible=False, elem_id="example")
    folder = _text(views.folder())
    notice, jobs = _text("", elem_id="notice"), _text("", elem_id="jobs")
    _text("<h2>Library</h2>")
    collection = gr.Dropdown(
        views.collections([]), value="", label="Collection", allow_custom_value=True, elem_id="collection"
    )
    summary = _text(views.NO_DOCUMENTS, elem_id="summary")
    documents = gr.CheckboxGroup(choices=[], show_label=False, container=False, visible=False, elem_id="documents")
    timer, seen = gr.Timer(BUSY_SECONDS), gr.State("")
    with gr.Row(visible=False, elem_id="care") as care:
        rename = gr.Button("Rename chosen …", size="sm", elem_id="rename")
        remove = gr.Button("Delete chosen …", size="sm", elem_id="delete")
    shown = {
        "fn": shelf.refresh,
        "inputs": [seen, documents, collection],
        "outputs": [jobs, summary, documents, collection, care, example, timer, seen],
        **_AT_ONCE,
    }
    gr.on([page.load, timer.tick, collection.change], **shown)
    collection.change(views.folder, collection, folder, **_AT_ONCE)
    drop.upload(shelf.upload, [drop, collection], [drop, notice], **_PRIVATE).then(**shown)
    _renaming(shelf, rename, documents, notice, shown)
    _deleting(shelf, remove, documents, notice, shown)
    return Chosen(documents, collection), example, notice


def _renaming(shelf: Shelf, button: Any, documents: Any, notice: Any, shown: dict[str, Any]) -> None:
    """The form for another title."""
    with gr.Group(visible=False, elem_id="renaming") as form:
        title = gr.Textbox(label="New title", max_length=300, elem_id="title")
        with gr.Row():
            keep = gr.Button("Cancel", size="sm")
            sure = gr.Button("Rename", size="sm", variant="primary", elem_id="retitle")
    button.click(shelf.question_rename, documents, [form, title, notice], **_AT_ONCE)
    keep.click(lambda: gr.Group(visible=False), None, form, **_AT_ONCE)
    gr.on([sure.click, title.submit], shelf.rename, [documents, title], [form, notice], **_PRIVATE).then(**shown)


def _deleting(shelf: Shelf, button: Any, documents: Any, notice: Any, shown: dict[str, Any]) -> None:
    """The question before something is deleted."""
    with gr.Group(visible=False, elem_id="confirm") as confirm:
        doomed = _text("", elem_id="doomed")
        with gr.Row():
            keep = gr.Button("Keep", size="sm", elem_id="keep")
            sure = gr.Button("Delete", size="sm", variant="stop", elem_id="sure")
    button.click(shelf.question_delete, documents, [confirm, doomed, notice], **_AT_ONCE)
    keep.click(lambda: gr.Group(visible=False), None, confirm, **_AT_ONCE)
    sure.click(shelf.delete, documents, [confirm, documents, notice], **_PRIVATE).then(**shown)


def _asking(page: gr.Blocks, talk: Talk, chosen: Chosen, *, longest: int) -> Any:
    """Right: the question, how to answer it, the answer, its sources, what was said before. Returns the question."""
    question = gr.Textbox(
        label="Question",
        placeholder="What do you want to know?",
        lines=1,
        max_lines=5,
        max_length=longest,
        elem_id="question",
    )
    with gr.Row():
        ask = gr.Button("Ask", variant="primary", scale=3, min_width=100, elem_id="ask")
        stop = gr.Button("Stop", interactive=False, scale=1, min_width=80, elem_id="stop")
        anew = gr.Button("New conversation", scale=2, min_width=180, elem_id="anew")
    with gr.Row(elem_id="more"):
        with gr.Accordion("How to answer", open=False, elem_id="how"):
            mode = gr.Radio(_MODES, value=Mode.EVIDENCE.value, label="Mode", elem_id="mode")
            top = gr.Slider(1, MOST_PLACES, value=EVIDENCE_PLACES, step=1, label="Places to recall", elem_id="top")
        with gr.Accordion("Earlier conversations", open=False, elem_id="history"):
            kept = gr.Dropdown([], value=None, label="Take up again", elem_id="conversations")
            forget = gr.Button("Delete the one shown", size="sm", elem_id="forget")
    answer = _text(answer_views.NO_QUESTION, elem_id="answer")
    check = gr.Button(CHECK, size="sm", visible=False, elem_id="check")
    verdict = _text("", elem_id="verdict")
    sources, earlier = _text("", elem_id="sources"), _text("", elem_id="earlier")
    conversation = gr.State("")
    asking = gr.on(
        [ask.click, question.submit],
        talk.ask,
        [question, chosen.documents, chosen.collection, conversation, mode, top],
        [answer, sources, earlier, ask, stop, check, conversation],
        concurrency_limit=None,  # the desk's own line says who is before whom
        **_PRIVATE,
    )
    gr.on([ask.click, question.submit, kept.input, anew.click], lambda: "", None, verdict, **_AT_ONCE)
    check.click(talk.check, [conversation, top], [sources, check, verdict], **_PRIVATE)
    listed: dict[str, Any] = {"fn": talk.conversations, "outputs": kept, **_AT_ONCE}
    asking.then(**listed)
    page.load(**listed)
    # Cancelling closes the handler's generator, and with it the model's stream.
    stop.click(stopped, answer, [answer, sources, ask, stop], cancels=[asking], **_AT_ONCE)
    shown = [answer, sources, earlier, check, conversation]
    kept.input(talk.take_up, kept, shown, **_PRIVATE)
    anew.click(talk.begin_anew, None, [*shown, kept], cancels=[asking], **_AT_ONCE)
    forget.click(talk.forget, conversation, [*shown, kept], **_AT_ONCE).then(**listed)
    return question


def _text(value: str, **options: Any) -> Any:
    """Our own escaped markup, without Gradio's scripts and styles."""
    return gr.HTML(value, js_on_load=None, apply_default_css=False, **options)
