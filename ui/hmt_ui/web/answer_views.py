"""An answer as HTML: its words, its places as buttons, where the question looked; every word is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from hmt_qa import types
from hmt_qa.types import Answer, Citation, Conversation, PageWeight, Timings
from hmt_ui.web.asking import Turn
from hmt_ui.web.words import milliseconds, plural

NO_QUESTION = (
    '<p class="hmt-empty"><strong>The answer appears here.</strong> It comes word for word, and below it the places '
    "in your documents that it stands on. Follow-up questions are understood.</p>"
)
LOADING = '<p class="hmt-quiet" role="status">Loading the model …</p>'
# Measured confidences are rather too high (docs/decisions/0022): the words are careful.
_SURE = ((0.8, "likely right"), (0.4, "may be right, look at the source"), (0.0, "uncertain, look at the source"))
_VERDICTS = {
    True: "Checked: without it the answer changes.",
    False: "Checked: without it the answer stays the same, so it may come from elsewhere.",
    None: "",
}
OTHERWISE = "Asked again by itself, the question gets another answer: this one could not be checked."
MOST_CELLS = 1_200
"""Cells of a strip; in a longer document several pages share one."""


def question(turn: Turn) -> str:
    """The answer so far under its question."""
    asked = _asked(turn.question)
    if turn.problem:
        return f'{asked}<p class="hmt-notice hmt-bad" role="alert">{escape(turn.problem)}</p>'
    if turn.before:
        before = plural(turn.before, "question")
        return f'{asked}<p class="hmt-quiet" role="status">In line: {before} before yours.</p>'
    if not turn.text:
        return f'{asked}<p class="hmt-quiet" role="status">Looking for where to read …</p>'
    if turn.answer and turn.text == turn.answer.text:
        return whole(turn.question, turn.answer)
    return asked + _text(escape(turn.text), answerable=turn.answer is None or turn.answer.answerable)


def whole(question: str, answer: Answer) -> str:
    """A question with its whole answer."""
    return _asked(question) + _text(_marked(answer), answerable=answer.answerable)


def is_begun(shown: str) -> bool:
    """Whether the answer shown holds a word of an answer."""
    return 'class="hmt-answer' in shown


def sources(answer: Answer, heat: Mapping[str, Sequence[PageWeight]] | None = None) -> str:
    """How sure it is, where the question looked in the documents cited, the citations, best first, and the times."""
    head = "Where this stands" if answer.answerable else "Places looked at"
    verdict = _VERDICTS[answer.verified]
    cards = "".join(_citation(number, citation, verdict) for number, citation in enumerate(answer.citations, 1))
    places = f'<h3>{head}</h3><ol class="hmt-sources">{cards}</ol>' if cards else ""
    titles = {citation.document: citation.title for citation in answer.citations}
    strips = "".join(strip(titles[document], weights) for document, weights in (heat or {}).items())
    looked = f'<h3 id="hmt-looked">Where the question looked</h3>{strips}' if strips else ""
    times = f'<p class="hmt-figures">{escape(timings(answer.timings_ms))} · {escape(answer.model)}</p>'
    return f"{confidence(answer)}{looked}{places}{times}"


def confidence(answer: Answer) -> str:
    """How likely it is right, in words and as a number; nothing where the reader cannot tell."""
    if answer.confidence is None:
        return ""
    words = next(words for least, words in _SURE if answer.confidence >= least)
    said = words if answer.answerable else "too low to say the best answer found"
    return f'<p class="hmt-quiet" id="hmt-confidence">Confidence {answer.confidence:.0%}: {said}.</p>'


def strip(title: str, weights: Sequence[PageWeight]) -> str:
    """One document's pages in order as a row of buttons, each as high and as dark as the page weighs."""
    most = max((page.weight for page in weights), default=0.0) or 1.0
    size = -(-len(weights) // MOST_CELLS)
    groups = [weights[first : first + size] for first in range(0, len(weights), size or 1)]
    best = max(range(len(groups)), key=lambda index: _heaviest(groups[index]).weight, default=0)
    cells = "".join(_cell(group, most, reachable=index == best) for index, group in enumerate(groups))
    label = f"{title}: {plural(len(weights), 'page')}, by how much the question looks at each"
    return (
        f'<p class="hmt-quiet" dir="auto">{escape(title)}</p>'
        f'<div class="hmt-strip" role="toolbar" aria-label="{escape(label)}">{cells}</div>'
    )


def earlier(turns: Sequence[types.Turn]) -> str:
    """What was said before in this conversation, the latest first."""
    if not turns:
        return ""
    items = "".join(
        f"<li>{whole(turn.question, turn.answer)}{_chips(turn.answer.citations)}</li>" for turn in reversed(turns)
    )
    return f'<h3>Earlier in this conversation</h3><ol class="hmt-earlier" reversed>{items}</ol>'


def conversation(kept: Conversation) -> str:
    """A conversation in the list of them, as plain text."""
    return f"{kept.title or 'Untitled'} ({plural(kept.turns, 'question')}, {kept.updated_at.astimezone():%d %b %H:%M})"


def page(citation: Citation) -> str:
    """Where a citation stands: the page, with what is printed on it where that differs, or the lines of a text."""
    if citation.page_label.startswith("line"):
        return citation.page_label
    printed = "" if citation.page_label in {"", str(citation.page)} else f", printed “{citation.page_label}”"
    return f"page {citation.page:,}{printed}"


def timings(taken: Timings) -> str:
    """One line from the four figures."""
    figures = {"resume": taken.resume, "recall": taken.recall, "first token": taken.first_token, "total": taken.total}
    return " · ".join(f"{name} {milliseconds(value)}" for name, value in figures.items())


def _asked(question: str) -> str:
    return f'<p class="hmt-asked" dir="auto">{escape(question.strip())}</p>' if question.strip() else ""


def _text(words: str, *, answerable: bool) -> str:
    """`words` are escaped already."""
    kind = "hmt-answer" if answerable else "hmt-answer hmt-none"
    return f'<div class="{kind}" dir="auto">{words}</div>'


def _marked(answer: Answer) -> str:
    """The answer, behind each sentence the number of the place it stands on."""
    shown, reached = "", 0
    for number, citation in enumerate(answer.citations, 1):
        if citation.supports:
            shown += f'{escape(answer.text[reached : citation.answer_end])}<sup class="hmt-mark">{number}</sup>'
            reached = citation.answer_end
    return shown + escape(answer.text[reached:])


def _ranks(citation: Citation) -> str:
    ranks = {"memory": citation.memory_rank, "keywords": citation.keyword_rank}
    return "".join(f" · {name} #{rank}" for name, rank in ranks.items() if rank)


def _citation(number: int, citation: Citation, verdict: str) -> str:
    checked = f'<p class="hmt-checked">{verdict}</p>' if verdict and citation.supports else ""
    return (
        f'<li class="hmt-source"><div class="hmt-line"><span class="hmt-name" dir="auto">{escape(citation.title)}'
        f"</span>{_chip(page(citation), citation, label=f'source {number}: {citation.title}, {page(citation)}')}</div>"
        f'<blockquote dir="auto">{escape(" ".join(citation.quote.split()))}</blockquote>'
        f'{checked}<p class="hmt-figures">memory weight {100 * citation.weight:.1f}%{_ranks(citation)}</p></li>'
    )


def _chips(citations: Sequence[Citation]) -> str:
    chips = "".join(_chip(f"{citation.title}, {page(citation)}", citation) for citation in citations)
    return f'<p class="hmt-chips">{chips}</p>' if chips else ""


def _chip(words: str, citation: Citation, *, label: str = "") -> str:
    """A button that opens the place; `page.js` knows what to do with it."""
    named = f' aria-label="{escape(label)}"' if label else ""
    return (
        f'<button type="button" class="hmt-page hmt-chip" data-document="{escape(citation.document)}" '
        f'data-page="{citation.page}" data-start="{citation.char_start}" data-end="{citation.char_end}"{named}>'
        f"{escape(words)}</button>"
    )


def _heaviest(group: Sequence[PageWeight]) -> PageWeight:
    return max(group, key=lambda page: page.weight)


def _cell(group: Sequence[PageWeight], most: float, *, reachable: bool) -> str:
    """One or several pages, as the heaviest of them; arrow keys lead from cell to cell, Tab to one of them only."""
    best = _heaviest(group)
    pages = f"page {best.page:,}" if len(group) == 1 else f"page {best.page:,} of {group[0].page:,}-{group[-1].page:,}"
    words = f"{pages}, {100 * best.weight:.1f}%"
    return (
        f'<button type="button" class="hmt-cell" style="--heat:{(best.weight / most) ** 0.5:.2f}" '
        f'data-document="{escape(best.document)}" data-page="{best.page}" title="{words}" aria-label="{words}" '
        f'tabindex="{0 if reachable else -1}"></button>'
    )
