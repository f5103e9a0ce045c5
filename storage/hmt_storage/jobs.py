"""Rows of jobs: claimed, closed and shown; knows nothing of segments."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, update

from hmt_qa.errors import AlreadyIngesting
from hmt_qa.types import Job, JobState
from hmt_storage.documents import Location, drop_if_unused
from hmt_storage.owner import describe, is_alive, take
from hmt_storage.tables import JobRecord as J

OPEN = (JobState.RUNNING, JobState.INTERRUPTED)
ENDED = (JobState.DONE, JobState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """How much of a document has been committed."""

    pages: int = 0
    segments: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to write through one job; it ends when another process takes the job up (its `run` is then higher)."""

    job_id: int
    run: int
    owner: str


def as_job(row: Row[*tuple[object, ...]], *, now: float) -> Job:
    """A row of jobs; a running one whose owner died shows as interrupted."""
    job = row._mapping
    dead = job["state"] == JobState.RUNNING and not is_alive(job["owner"], seconds_silent=now - job["updated_at"])
    seconds = job["updated_at"] - job["run_started_at"]
    return Job(
        id=job["id"],
        path=job["path"],
        collection=job["collection"],
        state=JobState.INTERRUPTED if dead else JobState(job["state"]),
        pages_done=job["pages_done"],
        pages_total=job["pages_total"],
        segments_done=job["segments_done"],
        tokens_done=job["tokens_done"],
        tokens_per_second=(job["tokens_done"] - job["run_first_token"]) / seconds if seconds > 0 else 0.0,
        started_at=datetime.fromtimestamp(job["started_at"], UTC),
        updated_at=datetime.fromtimestamp(job["updated_at"], UTC),
        error=job["error"],
        document=job["document"],
    )


def newest(connection: Connection, *, limit: int) -> list[Job]:
    """At most `limit` jobs, newest first."""
    rows = connection.execute(select(J.__table__).order_by(J.id.desc()).limit(max(limit, 0)))
    return [as_job(row, now=time.time()) for row in rows]


def load(connection: Connection, job_id: int) -> Job:
    """The job with this id."""
    return as_job(connection.execute(select(J.__table__).where(J.id == job_id)).one(), now=time.time())


def refuse_if_running(connection: Connection, location: Location, *, memory_id: int = 0) -> None:
    """Raise `AlreadyIngesting` while a live process reads this location, or writes this memory (0 for none)."""
    same = or_(_at(location), J.memory_id == memory_id)
    running = select(J.owner, J.updated_at, J.path).where(J.state == JobState.RUNNING, same)
    for owner, updated_at, other in connection.execute(running):
        if is_alive(owner, seconds_silent=time.time() - updated_at):
            raise taken(other, owner)


def taken(path: str, owner: str) -> AlreadyIngesting:
    """The error for an ingestion that another owner has."""
    return AlreadyIngesting(
        f"{path} is being ingested by {describe(owner)}.",
        subject=path,
        remedy="Wait until it has finished, or stop that process; what it has read is kept.",
    )


def claim(
    connection: Connection,
    location: Location,
    *,
    title: str,
    memory_id: int,
    pages_total: int,
    done: Counters,
) -> Claim:
    """Take up the interrupted job of this path and memory, or open one; whoever wrote the memory before loses it."""
    now, owner = time.time(), take()
    lost = (J.memory_id == memory_id) & (J.state == JobState.RUNNING)
    connection.execute(update(J).where(lost).values(state=JobState.INTERRUPTED))
    # A job without a memory lost it because its rows had another format: it goes on too, from the start.
    writes = or_(J.memory_id == memory_id, J.memory_id.is_(None))
    mine = select(J.id).where(_at(location), J.state.in_(OPEN), writes).order_by(J.id.desc())
    job_id = connection.execute(mine).scalar()
    if job_id is None:
        job_id = record(connection, location, title=title, state=JobState.RUNNING)
    forget(connection, location, states=(*OPEN, *ENDED), keep=job_id)
    run = connection.execute(
        update(J)
        .where(J.id == job_id)
        .values(
            title=title,
            memory_id=memory_id,
            state=JobState.RUNNING,
            owner=owner,
            run=J.run + 1,
            run_started_at=now,
            run_first_token=done.tokens,
            pages_total=pages_total,
            pages_done=done.pages,
            segments_done=done.segments,
            tokens_done=done.tokens,
            updated_at=now,
        )
        .returning(J.run)
    ).scalar_one()
    return Claim(job_id=job_id, run=run, owner=owner)


def record(
    connection: Connection,
    location: Location,
    *,
    title: str,
    state: JobState,
    error: str = "",
) -> int:
    """A new job row with nothing done; returns its id."""
    now = time.time()
    values = {"collection": location.collection, "path": location.path, "title": title, "state": state, "error": error}
    times = {"started_at": now, "updated_at": now, "run_started_at": now}
    return connection.execute(insert(J).values(**values, **times).returning(J.id)).scalar_one()


def close(connection: Connection, claimed: Claim, state: JobState, **columns: object) -> None:
    """End this run: `columns` are further changes to the job's row."""
    changed = {"state": state, "owner": "", "updated_at": time.time()} | columns
    connection.execute(update(J).where(J.id == claimed.job_id).values(changed))


def check(connection: Connection, claimed: Claim, path: str) -> Row[*tuple[object, ...]]:
    """The row of a job that is still ours; raises `AlreadyIngesting` when another process has taken it up."""
    row = connection.execute(select(J.__table__).where(J.id == claimed.job_id)).one_or_none()
    if row is None or row.run != claimed.run or row.state != JobState.RUNNING:
        raise AlreadyIngesting(
            f"The ingestion of {path} is no longer ours: it was closed, or another process has taken it up.",
            subject=path,
            remedy="See `hmt-qa jobs`; run the same command again to go on.",
        )
    return row


def forget(connection: Connection, location: Location, *, states: Sequence[JobState], keep: int | None = None) -> None:
    """Delete the jobs of a location in these states, except `keep`, and the unfinished memories only they had.

    Call `refuse_if_running` first where `states` holds running ones.
    """
    doomed = _at(location) & J.state.in_(states) & J.id.is_distinct_from(keep)
    memories = connection.execute(select(J.memory_id).where(doomed, J.memory_id.is_not(None))).scalars().all()
    connection.execute(delete(J).where(doomed))
    for memory_id in memories:
        drop_if_unused(connection, memory_id or 0)


def _at(location: Location) -> ColumnElement[bool]:
    return and_(J.collection == location.collection, J.path == location.path)
