"""The library as HTML; every word that is not ours is escaped. Knows neither Gradio nor the library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from hmt_qa.types import Document, Job, JobState
from hmt_ui.web.words import day, duration, plural

JOBS_SHOWN = 8

NO_DOCUMENTS = (
    '<p class="hmt-empty"><strong>No documents yet.</strong> Drop a PDF, a text or a source file above. '
    "It is read once; after that you can ask it as often as you like. Or begin with the example.</p>"
)
_STATES = {
    JobState.RUNNING: "reading",
    JobState.DONE: "done",
    JobState.FAILED: "failed",
    JobState.INTERRUPTED: "interrupted",
    JobState.CANCELLED: "cancelled",
}


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


def jobs(rows: Sequence[Job], *, waiting: Sequence[Path] = (), failures: Mapping[str, str] | None = None) -> str:
    """Files in line, files given up, then the newest jobs."""
    running = {job.path for job in rows if job.state is JobState.RUNNING}
    unstored = {str(path): ("waiting", "In line, or being opened.") for path in waiting}
    unstored |= {path: ("failed", _named(why, path)) for path, why in (failures or {}).items()}
    items = [
        _item(Path(path).name, *said, action=_retry(said[0], path))
        for path, said in unstored.items()
        if path not in running
    ]
    items += [_job(job) for job in rows if job.path in running or job.path not in unstored][:JOBS_SHOWN]
    return f'<ul class="hmt-jobs">{"".join(items)}</ul>' if items else ""


def _job(job: Job) -> str:
    state = "cancelling" if job.state is JobState.RUNNING and job.cancel_requested else _STATES[job.state]
    return _item(Path(job.path).name, state, _reason(job), figures=_figures(job), bar=_bar(job), action=_action(job))


def _item(name: str, state: str, note: str = "", *, figures: str = "", bar: str = "", action: str = "") -> str:
    return (
        f'<li class="hmt-job hmt-{state}"><div class="hmt-line"><span class="hmt-name" dir="auto">{escape(name)}</span>'
        f'<span class="hmt-state">{state}</span>{action}</div>{bar}'
        + (f'<p class="hmt-figures">{escape(figures)}</p>' if figures else "")
        + (f'<p class="hmt-note">{escape(note)}</p>' if note else "")
        + "</li>"
    )


def _action(job: Job) -> str:
    """The button for what can be done with a job now; `page.js` posts what it says."""
    if job.state is JobState.RUNNING and not job.cancel_requested:
        return _button(job, "cancel", "Cancel")
    return _button(job, "resume", "Resume") if job.is_resumable else ""


def _button(job: Job, verb: str, word: str) -> str:
    name = escape(f"{word} {Path(job.path).name}")
    return (
        f'<button type="button" class="hmt-act" data-post="api/v1/jobs/{job.id}/{verb}" aria-label="{name}">'
        f"{word}</button>"
    )


def _retry(state: str, path: str) -> str:
    """The button for a file that was given up for no fault of its own; its digest and name say which."""
    if state != "failed":
        return ""
    file = Path(path)
    known = escape(f"{file.parent.name}/{file.name}")
    return (
        f'<button type="button" class="hmt-act" data-post="api/v1/jobs/retry" data-file="{known}" '
        f'aria-label="Retry {escape(file.name)}">Retry</button>'
    )


def _reason(job: Job) -> str:
    if job.state is JobState.FAILED:
        return _named(job.error, job.path) or "No reason was recorded."
    if job.is_resumable:
        return "Stopped on the way; it goes on where it was."
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


def library(documents: Sequence[Document], *, collection: str = "") -> str:
    """How much there is to ask."""
    if not documents and collection:
        return f'<p class="hmt-empty">Nothing in the collection {escape(collection)} yet. What you add goes there.</p>'
    if not documents:
        return NO_DOCUMENTS
    pages, tokens = sum(document.pages for document in documents), sum(document.tokens for document in documents)
    total = f"{plural(len(documents), 'document')} · {plural(pages, 'page')} · {plural(tokens, 'token')}"
    return f'<p class="hmt-quiet">{total}. Choose which to ask; with none chosen, all are asked.</p>'


def choice(document: Document) -> str:
    """A document in the list as plain text, two lines; the page shows it unformatted."""
    figures = [plural(document.pages, "page"), plural(document.tokens, "token"), plural(document.segments, "segment")]
    title = " ".join(document.title.split()) or Path(document.path).name
    return f"{title}\n{' · '.join(figures)} · added {day(document.added_at)}"


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
