"""Commands about ingestions, whichever process works on them: jobs, cancel, resume."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from hmt_qa.types import IngestOptions, JobState
from hmt_ui import printing
from hmt_ui.options import Attention, Device, Dtype, Home, Json, Model, Password, Workers

if TYPE_CHECKING:
    from hmt_qa.app import DocumentQA
    from hmt_qa.types import Job

PATIENCE_SECONDS = 30.0
"""How long `cancel` waits for the job's owner to stop."""
_LOOK_SECONDS = 0.05

Number = Annotated[int, typer.Argument(metavar="JOB", help="Its number, as `hmt-qa jobs` shows it.")]
Numbers = Annotated[list[int] | None, typer.Argument(metavar="JOB", help="Their numbers; all without one.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (jobs, cancel, resume):
        app.command()(command)


def jobs(home: Home = None, as_json: Json = False) -> None:
    """List ingestions, newest first, those of other processes too."""
    with _open(home=home) as qa:
        printing.jobs(qa.jobs(), as_json=as_json)


def cancel(
    job: Number,
    discard: Annotated[bool, typer.Option("--discard", help="Delete what it has read, too.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Stop an ingestion, also one of another process, at its next segment. What it has read is kept for `resume`."""
    with _open(home=home) as qa:
        stopped = _stopped(qa, qa.cancel(job))
        if stopped.state is JobState.RUNNING:
            print(
                f"hmt-qa: {stopped.owner} has been asked to stop and is still in the middle of something; "
                "`hmt-qa jobs` shows when it has.",
                file=sys.stderr,
            )
        elif discard:
            qa.discard(job)
        printing.jobs([stopped], as_json=as_json)
        if stopped.state is not JobState.CANCELLED:
            raise typer.Exit(1)


def resume(
    job: Numbers = None,
    password: Password = None,
    workers: Workers = None,
    home: Home = None,
    model: Model = None,
    device: Device = None,
    dtype: Dtype = None,
    attention: Attention = None,
    as_json: Json = False,
) -> None:
    """Go on with ingestions that were interrupted or cancelled; all of them where none is named."""
    from hmt_ui.ingesting import report
    from hmt_ui.settings import load

    options = IngestOptions(password=password, limits=load(home=home).limits, workers=workers)
    with _open(home=home, model=model, device=device, dtype=dtype, attention=attention) as qa:
        code = report(
            lambda show: qa.resume(job or (), options=options, on_progress=show),
            meter=qa.engine.meter,
            as_json=as_json,
        )
    if code:
        raise typer.Exit(code)


def _stopped(qa: DocumentQA, job: Job) -> Job:
    """The job once its owner has stopped, or as it is when patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while job.state is JobState.RUNNING and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        job = qa.job(job.id)
    return job


def _open(**flags: object) -> DocumentQA:
    from hmt_ui.compose import open_qa
    from hmt_ui.settings import load

    return open_qa(load(**flags))
