"""REST: ingestions, watched, cancelled and taken up again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath

from hmt_qa.errors import JobEnded, UnknownJob
from hmt_qa.types import JobState
from hmt_ui.placing import shown_name
from hmt_ui.service import schemas
from hmt_ui.service.desk import Desk, TheDesk
from hmt_ui.service.inbox import Waiting
from hmt_ui.service.problems import documented
from hmt_ui.service.visitor import Mine, TheVisitor, Visitor

router = APIRouter(prefix="/jobs", tags=["jobs"])
Number = Annotated[int, InPath(ge=1, le=2**31)]


@router.get("", summary="List ingestions")
def jobs(mine: Mine, visitor: TheVisitor, desk: TheDesk) -> schemas.Jobs:
    """The latest ingestion of each file, newest first, those of other processes too; and what waits for its turn."""
    uploads = desk.inbox.uploads
    own = [file for file in desk.inbox.waiting if visitor.owns(file.collection)]
    given_up = {file: why for file, why in desk.inbox.failures.items() if visitor.owns(file.collection)}
    return schemas.Jobs(
        jobs=[schemas.Job.of(job, uploads) for job in mine.jobs()],
        waiting=[shown_name(str(file.path), uploads) for file in own],
        failures={
            (name := shown_name(str(file.path), uploads)): why.replace(str(file.path), name)
            for file, why in given_up.items()
        },
    )


@router.post("/retry", summary="Try a file again", status_code=202, responses=documented(404, 429))
def retry(visitor: TheVisitor, desk: TheDesk, body: schemas.File) -> schemas.Uploaded:
    """Put a file in line again that was given up without a job, for no fault of its own (`failures`)."""
    for file in _named(body.file, desk.inbox.failures, visitor, desk):
        desk.inbox.again(file)
        return schemas.Uploaded(file=body.file, collection=visitor.seen(file.collection), known=False)
    raise UnknownJob(f"No file {body.file!r} was given up.", subject=body.file, remedy="GET /api/v1/jobs lists them.")


@router.post("/withdraw", summary="Cancel a file in line", status_code=202, responses=documented(404))
def withdraw(visitor: TheVisitor, desk: TheDesk, body: schemas.File) -> schemas.Withdrawn:
    """Take a file that waits (`waiting`) out of the line; its uploaded copy is deleted, and no restart reads it."""
    gone = [file for file in _named(body.file, desk.inbox.waiting, visitor, desk) if desk.inbox.withdraw(file)]
    if gone:
        return schemas.Withdrawn(files=[body.file])
    raise UnknownJob(f"No file {body.file!r} waits.", subject=body.file, remedy="GET /api/v1/jobs lists those that do.")


@router.post("/withdraw-all", summary="Cancel all files in line", status_code=202)
def withdraw_all(visitor: TheVisitor, desk: TheDesk) -> schemas.Withdrawn:
    """Take everything of one's own that waits out of the line, as `withdraw` does; what is being read goes on."""
    own = [file for file in desk.inbox.in_line if visitor.owns(file.collection)]
    gone = [file for file in own if desk.inbox.withdraw(file)]
    return schemas.Withdrawn(files=[shown_name(str(file.path), desk.inbox.uploads) for file in gone])


def _named(name: str, files: Iterable[Waiting], visitor: Visitor, desk: Desk) -> list[Waiting]:
    """Those of one's own files that lists name so; several where two collections have it."""
    own = (file for file in files if visitor.owns(file.collection))
    return [file for file in own if shown_name(str(file.path), desk.inbox.uploads) == name]


@router.get("/{job}", summary="Show an ingestion", responses=documented(404))
def job(mine: Mine, desk: TheDesk, job: Number) -> schemas.Job:
    """One ingestion by its number."""
    return schemas.Job.of(mine.job(job), desk.inbox.uploads)


@router.post("/{job}/cancel", summary="Cancel an ingestion", status_code=202, responses=documented(404, 409))
def cancel(mine: Mine, desk: TheDesk, job: Number) -> schemas.Job:
    """Have it stop at its next segment; what was read is kept, and `resume` goes on with it."""
    return schemas.Job.of(mine.cancel(job), desk.inbox.uploads)


@router.post("/{job}/resume", summary="Go on with an ingestion", status_code=202, responses=documented(404, 409, 429))
def resume(mine: Mine, desk: TheDesk, job: Number) -> schemas.Job:
    """Put an interrupted, cancelled or failed ingestion in line again; it goes on at the segment after the last."""
    found = mine.job(job)
    if found.state in {JobState.RUNNING, JobState.DONE} or not Path(found.path).exists():
        raise JobEnded(
            f"Job {found.id} is {found.state}, or its file is gone.",
            subject=found.id,
            remedy="Only interrupted, cancelled and failed ones go on; upload the file again.",
        )
    desk.inbox.go_on(desk.qa.job(found.id))
    return schemas.Job.of(found, desk.inbox.uploads)
