"""The layout of the page, and which event calls which handler."""

from __future__ import annotations

from typing import Any

import gradio as gr

from hmt_qa.app import EVIDENCE_PLACES
from hmt_qa.types import Mode
from hmt_ui.service.desk import Desk
from hmt_ui.service.schemas import MOST_PLACES
from hmt_ui.web import views
from hmt_ui.web.handlers import BUSY_SECONDS, Handlers, stopped

SPARE = 64  # events of other kinds, beside the questions that may wait

_MODES = [
    ("Evidence: recalled places are read again word for word (exact, the default)", Mode.EVIDENCE.value),
    ("Memory: from the memory alone, without reading again (faster, rough)", Mode.MEMORY.value),
]
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def compose(desk: Desk) -> gr.Blocks:
    """The page over a desk whose inbox the caller starts and stops."""
    handlers = Handlers(desk)
    with gr.Blocks(title="hmt-qa", analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)) as page:
        _text(views.HEADER)
        with gr.Row(elem_classes="hmt-columns"):
            with gr.Column(scale=2, min_width=320, elem_id="library"):
                chosen = _library(page, handlers)
            with gr.Column(scale=3, min_width=320, elem_id="asking"):
                _asking(handlers, chosen, longest=desk.limits.question_characters)
    page.queue(max_size=desk.limits.waiting + SPARE, default_concurrency_limit=4, api_open=False)
    return page


def _library(page: gr.Blocks, handlers: Handlers) -> Any:
    """Left: upload, progress, documents. Returns the documents' choice."""
    drop = gr.File(label="Add documents", file_count="multiple", height=132, elem_id="drop")
    notice = _text("", elem_id="notice")
    jobs = _text("", elem_id="jobs")
    _text("<h2>Library</h2>")
    summary = _text(views.NO_DOCUMENTS, elem_id="summary")
    chosen = gr.CheckboxGroup(choices=[], show_label=False, container=False, visible=False, elem_id="documents")
    remove = gr.Button("Delete chosen …", size="sm", visible=False, elem_id="delete")
    with gr.Group(visible=False, elem_id="confirm") as confirm:
        doomed = _text("", elem_id="doomed")
        with gr.Row():
            keep = gr.Button("Keep", size="sm", elem_id="keep")
            sure = gr.Button("Delete", size="sm", variant="stop", elem_id="sure")
    timer, seen = gr.Timer(BUSY_SECONDS), gr.State("")
    shown = {"fn": handlers.refresh, "inputs": [seen, chosen], "outputs": [jobs, summary, chosen, remove, timer, seen]}
    gr.on([page.load, timer.tick], **shown, queue=False, **_PRIVATE)
    drop.upload(handlers.upload, drop, [drop, notice], **_PRIVATE).then(**shown, queue=False, **_PRIVATE)
    remove.click(handlers.question_delete, chosen, [confirm, doomed, notice], queue=False, **_PRIVATE)
    keep.click(lambda: gr.Group(visible=False), None, confirm, queue=False, **_PRIVATE)
    sure.click(handlers.delete, chosen, [confirm, chosen, notice], **_PRIVATE).then(**shown, queue=False, **_PRIVATE)
    return chosen


def _asking(handlers: Handlers, chosen: Any, *, longest: int) -> None:
    """Right: the question, how to answer it, the answer, its sources."""
    question = gr.Textbox(
        label="Question",
        placeholder="What do you want to know?",
        lines=1,
        max_lines=5,
        max_length=longest,
        elem_id="question",
    )
    with gr.Row():
        ask = gr.Button("Ask", variant="primary", scale=3, min_width=120, elem_id="ask")
        stop = gr.Button("Stop", interactive=False, scale=1, min_width=80, elem_id="stop")
    with gr.Accordion("How to answer", open=False, elem_id="how"):
        mode = gr.Radio(_MODES, value=Mode.EVIDENCE.value, label="Mode", elem_id="mode")
        top = gr.Slider(1, MOST_PLACES, value=EVIDENCE_PLACES, step=1, label="Places to recall", elem_id="top")
    answer = _text(views.NO_QUESTION, elem_id="answer")
    sources = _text("", elem_id="sources")
    asking = gr.on(
        [ask.click, question.submit],
        handlers.ask,
        [question, chosen, mode, top],
        [answer, sources, ask, stop],
        concurrency_limit=None,  # the desk's own line says who is before whom
        **_PRIVATE,
    )
    # Cancelling closes the handler's generator, and with it the model's stream.
    stop.click(stopped, answer, [answer, sources, ask, stop], cancels=[asking], queue=False, **_PRIVATE)


def _text(value: str, **options: Any) -> Any:
    """Our own escaped markup, without Gradio's scripts and styles."""
    return gr.HTML(value, js_on_load=None, apply_default_css=False, **options)
