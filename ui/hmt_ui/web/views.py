"""What the page shows, as HTML; every word that is not ours is escaped. Knows neither Gradio nor the library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path

from hmt_qa.types import Answer, Citation, Document, Job, JobState, Timings
from hmt_ui.web.asking import Turn

JOBS_SHOWN = 8

HEADER = (
    '<header class="hmt-head"><h1>hmt-qa</h1><p>Ask long documents. Each is read once into a small memory; answers '
    "show where they stand. Everything stays on this machine.</p></header>"
)
NO_DOCUMENTS = (
    '<p class="hmt-empty"><strong>No documents yet.</strong> Drop a PDF, a text or a source file above. '
    "It is read once; after that you can ask it as often as you like.</p>"
)
NO_QUESTION = (
    '<p class="hmt-empty"><strong>The answer appears here.</strong> It comes word for word, and below it the places '
    "in your documents that it stands on.</p>"
)
LOADING = '<p class="hmt-quiet">Loading the model …</p>'
_STATES = {
    JobState.RUNNING: "reading",
    JobState.DONE: "done",
    JobState.FAILED: "failed",
    JobState.INTERRUPTED: "interrupted",
    JobState.CANCELLED: "cancelled",
}


def jobs(rows: Sequence[Job], *, waiting: Sequence[Path] = (), failures: Mapping[str, str] | None = None) -> str:
    """Files in line, files given up, then the newest jobs."""
    running = {job.path for job in rows if job.state is JobState.RUNNING}
    unstored = {str(path): ("waiting", "In line, or being opened.") for path in waiting}
    unstored |= {path: ("failed", _named(why, path)) for path, why in (failures or {}).items()}
    items = [_item(Path(path).name, *said) for path, said in unstored.items() if path not in running]
    items += [_job(job) for job in rows if job.path in running or job.path not in unstored][:JOBS_SHOWN]
    return f'<ul class="hmt-jobs">{"".join(items)}</ul>' if items else ""


def _job(job: Job) -> str:
    return _item(Path(job.path).name, _STATES[job.state], _reason(job), figures=_figures(job), bar=_bar(job))


def _item(name: str, state: str, note: str = "", *, figures: str = "", bar: str = "") -> str:
    return (
        f'<li class="hmt-job hmt-{state}"><div class="hmt-line"><span class="hmt-name" dir="auto">{escape(name)}</span>'
        f'<span class="hmt-state">{state}</span></div>{bar}'
        + (f'<p class="hmt-figures">{escape(figures)}</p>' if figures else "")
        + (f'<p class="hmt-note">{escape(note)}</p>' if note else "")
        + "</li>"
    )


def _reason(job: Job) -> str:
    if job.state is JobState.FAILED:
        return _named(job.error, job.path) or "No reason was recorded."
    if job.is_resumable:
        return "Stopped on the way; it goes on where it was when the file is added again."
    return ""


def _named(error: str, path: str) -> str:
    """An error in terms of what was uploaded: the name without the folders it is kept in."""
    return error.replace(path, Path(path).name)


def _bar(job: Job) -> str:
    if job.state is not JobState.RUNNING and not job.is_resumable:
        return ""
    percent, name = f"{100 * job.fraction:.0f}", escape(Path(job.path).name)
    return (
        f'<div class="hmt-line hmt-bar"><progress max="100" value="{percent}" aria-label="{name}"></progress>'
        f'<span class="hmt-percent">{percent}%</span></div>'
    )


def _figures(job: Job) -> str:
    if job.state is JobState.FAILED:
        return ""
    pages = f"{job.pages_done:,} of {job.pages_total:,} pages" if job.pages_total else plural(job.pages_done, "page")
    figures = [pages, plural(job.tokens_done, "token")]
    if job.state is JobState.DONE:
        figures[0] = plural(job.pages_done, "page")
        figures.append(f"read in {duration((job.updated_at - job.started_at).total_seconds())}")
    elif job.state is JobState.RUNNING and job.tokens_per_second > 0:
        figures += [f"{job.tokens_per_second:,.0f} tokens/s", *_time_left(job)]
    return " · ".join(figures)


def _time_left(job: Job) -> list[str]:
    """Seconds left at this run's pace, where the pages read so far say anything about the rest."""
    if not (0 < job.pages_done < job.pages_total):
        return []
    tokens = job.tokens_done / job.pages_done * (job.pages_total - job.pages_done)
    return [f"about {duration(tokens / job.tokens_per_second)} left"]


def library(documents: Sequence[Document]) -> str:
    """How much there is to ask."""
    if not documents:
        return NO_DOCUMENTS
    pages, tokens = sum(document.pages for document in documents), sum(document.tokens for document in documents)
    total = f"{plural(len(documents), 'document')} · {plural(pages, 'page')} · {plural(tokens, 'token')}"
    return f'<p class="hmt-quiet">{total}. Choose which to ask; with none chosen, all are asked.</p>'


def choice(document: Document) -> str:
    """A document in the list as plain text, two lines; the page shows it unformatted."""
    figures = [plural(document.pages, "page"), plural(document.tokens, "token"), plural(document.segments, "segment")]
    title = " ".join(document.title.split()) or Path(document.path).name
    return f"{title}\n{' · '.join(figures)} · added {_day(document.added_at)}"


def notice(text: str, *, bad: bool = False) -> str:
    """One line about what was just done."""
    return f'<p class="hmt-notice{" hmt-bad" if bad else ""}" role="status">{escape(text)}</p>' if text else ""


def deletion(titles: Sequence[str]) -> str:
    """What is asked before documents are deleted."""
    names = "".join(f'<li dir="auto">{escape(title)}</li>' for title in titles)
    what = "this document" if len(titles) == 1 else f"these {len(titles)} documents"
    return f'<p>Delete {what} for good, with text, memory and uploaded copy?</p><ul class="hmt-titles">{names}</ul>'


def question(turn: Turn) -> str:
    """The answer so far under its question."""
    asked = f'<p class="hmt-asked" dir="auto">{escape(turn.question.strip())}</p>' if turn.question.strip() else ""
    if turn.problem:
        return f'{asked}<p class="hmt-notice hmt-bad" role="alert">{escape(turn.problem)}</p>'
    if turn.before:
        before = plural(turn.before, "question")
        return f'{asked}<p class="hmt-quiet" role="status">In line: {before} before yours.</p>'
    if not turn.text:
        return f'{asked}<p class="hmt-quiet">Looking for where to read …</p>'
    kind = "hmt-answer" if turn.answer is None or turn.answer.answerable else "hmt-answer hmt-none"
    return f'{asked}<div class="{kind}" dir="auto">{escape(turn.text)}</div>'


def is_begun(shown: str) -> bool:
    """Whether the answer shown holds a word of an answer."""
    return 'class="hmt-answer' in shown


def sources(answer: Answer) -> str:
    """Citations, best first, and how long what took."""
    head = "Where this stands" if answer.answerable else "Places looked at"
    cards = "".join(map(_citation, answer.citations))
    places = f'<h3>{head}</h3><ol class="hmt-sources">{cards}</ol>' if cards else ""
    return f'{places}<p class="hmt-figures">{escape(timings(answer.timings_ms))} · {escape(answer.model)}</p>'


def _citation(citation: Citation) -> str:
    return (
        f'<li class="hmt-source"><div class="hmt-line"><span class="hmt-name" dir="auto">{escape(citation.title)}'
        f'</span><span class="hmt-page">{escape(page(citation))}</span></div>'
        f'<blockquote dir="auto">{escape(" ".join(citation.quote.split()))}</blockquote>'
        f'<p class="hmt-figures">memory weight {100 * citation.weight:.1f}%</p></li>'
    )


def page(citation: Citation) -> str:
    """Where a citation stands: the page, with what is printed on it where that differs, or the lines of a text."""
    if citation.page_label.startswith("line"):
        return citation.page_label
    printed = "" if citation.page_label in {"", str(citation.page)} else f", printed “{citation.page_label}”"
    return f"page {citation.page:,}{printed}"


def timings(taken: Timings) -> str:
    """One line from the four figures."""
    figures = {"resume": taken.resume, "recall": taken.recall, "first token": taken.first_token, "total": taken.total}
    return " · ".join(f"{name} {_milliseconds(value)}" for name, value in figures.items())


def _milliseconds(value: float) -> str:
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def duration(seconds: float) -> str:
    """Seconds in words, two units at most."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s" if whole else "under 1 s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, thing: str) -> str:
    """`1 page`, `2,000 pages`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _day(moment: datetime) -> str:
    return f"{moment.astimezone():%d %b %Y}"
