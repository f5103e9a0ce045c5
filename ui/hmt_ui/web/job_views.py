"""What is being read as HTML, and the buttons for it; every word that is not ours is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from hmt_qa.types import Job, JobState
from hmt_ui.placing import place_in_words, shown_name
from hmt_ui.web.words import duration, plural

JOBS_SHOWN = 8
WAITING_SHOWN = 8

_STATES = {
    JobState.RUNNING: "reading",
    JobState.DONE: "done",
    JobState.FAILED: "failed",
    JobState.INTERRUPTED: "interrupted",
    JobState.CANCELLED: "cancelled",
}


def jobs(
    rows: Sequence[Job], *, uploads: Path, waiting: Sequence[Path] = (), failures: Mapping[str, str] | None = None
) -> str:
    """Files in line, files given up, then the newest jobs; `uploads` is where uploaded files are kept."""
    running = {job.path for job in rows if job.state is JobState.RUNNING}
    in_line = [path for path in map(str, waiting) if path not in running]
    given_up = {path: why for path, why in (failures or {}).items() if path not in running}
    unstored = {*in_line, *given_up}
    items = [_waiting(path, uploads) for path in in_line[:WAITING_SHOWN]]
    items += [_more(len(in_line) - WAITING_SHOWN)] if len(in_line) > WAITING_SHOWN else []
    items += [_given_up(path, why, uploads) for path, why in given_up.items()]
    shown = [job for job in rows if job.path in running or job.path not in unstored][:JOBS_SHOWN]
    items += [_job(job, place_in_words(job.path, uploads)) for job in shown]
    return f'<ul class="hmt-jobs">{"".join(items)}</ul>' if items else ""


def _waiting(path: str, uploads: Path) -> str:
    name = place_in_words(path, uploads)
    button = _post("withdraw", "Cancel", name, file=shown_name(path, uploads))
    return _item(name, "waiting", "In line, or being opened.", action=button)


def _more(count: int) -> str:
    return _item(
        f"and {plural(count, 'more file')}", "waiting", action=_post("withdraw-all", "Cancel all", "files in line")
    )


def _given_up(path: str, why: str, uploads: Path) -> str:
    name = place_in_words(path, uploads)
    button = _post("retry", "Retry", name, file=shown_name(path, uploads))
    return _item(name, "failed", _named(why, path), action=button)


def _job(job: Job, name: str) -> str:
    state = "cancelling" if job.state is JobState.RUNNING and job.cancel_requested else _STATES[job.state]
    return _item(name, state, _reason(job), figures=_figures(job), bar=_bar(job), action=_action(job, name))


def _item(name: str, state: str, note: str = "", *, figures: str = "", bar: str = "", action: str = "") -> str:
    return (
        f'<li class="hmt-job hmt-{state}"><div class="hmt-line"><span class="hmt-name" dir="auto">{escape(name)}</span>'
        f'<span class="hmt-state">{state}</span>{action}</div>{bar}'
        + (f'<p class="hmt-figures">{escape(figures)}</p>' if figures else "")
        + (f'<p class="hmt-note">{escape(note)}</p>' if note else "")
        + "</li>"
    )


def _action(job: Job, name: str) -> str:
    """The button for what can be done with a job now."""
    if job.state is JobState.RUNNING and not job.cancel_requested:
        return _post(f"{job.id}/cancel", "Cancel", name)
    return _post(f"{job.id}/resume", "Resume", name) if job.is_resumable else ""


def _post(verb: str, word: str, what: str, *, file: str = "") -> str:
    """A button that `page.js` has posted to the jobs' route, with the file that lists name so."""
    named = f' data-file="{escape(file)}"' if file else ""
    label = escape(f"{word} {what}")
    return (
        f'<button type="button" class="hmt-act" data-post="api/v1/jobs/{verb}"{named} aria-label="{label}">'
        f"{word}</button>"
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
