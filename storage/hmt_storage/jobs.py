"""Rows of jobs: claimed, closed and shown; knows nothing of segments."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, or_, select, update

from hmt_qa.errors import AlreadyIngesting, JobCancelled, JobEnded, UnknownJob
from hmt_qa.types import Job, JobState
from hmt_storage.documents import Location, drop_if_unused
from hmt_storage.owner import LEASE_SECONDS, describe, is_alive, take
from hmt_storage.tables import JobRecord as J

OPEN = (JobState.RUNNING, JobState.INTERRUPTED, JobState.CANCELLED)
ENDED = (JobState.DONE, JobState.FAILED)
_BEYOND_ALL = 2**63  # SQLite's integers end there


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """How much of a document has been committed; `page_share` of the page after `pages`, [0, 1)."""

    pages: int = 0
    page_share: float = 0.0
    segments: int = 0
    tokens: int = 0

    @property
    def columns(self) -> dict[str, float]:
        """As the job's row has them."""
        done = {"pages_done": self.pages, "segments_done": self.segments, "tokens_done": self.tokens}
        return done | {"page_share": self.page_share}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to write through one job; it ends when another process takes the job up (its `run` is then higher)."""

    job_id: int
    run: int
    owner: str


def as_job(row: Row[*tuple[object, ...]], *, now: float) -> Job:
    """A row of jobs; a running one whose owner died shows as interrupted."""
    job = row._mapping
    running = job["state"] == JobState.RUNNING
    dead = running and not is_alive(job["owner"], lease_left=job["lease_expires_at"] - now)
    gone = JobState.CANCELLED if job["cancel_requested"] else JobState.INTERRUPTED
    seconds = job["updated_at"] - job["run_started_at"]
    return Job(
        id=job["id"],
        path=job["path"],
        collection=job["collection"],
        state=gone if dead else JobState(job["state"]),
        pages_done=job["pages_done"],
        pages_total=job["pages_total"],
        page_share=job["page_share"],
        segments_done=job["segments_done"],
        tokens_done=job["tokens_done"],
        tokens_total=job["tokens_total"],
        tokens_per_second=(job["tokens_done"] - job["run_first_token"]) / seconds if seconds > 0 else 0.0,
        started_at=datetime.fromtimestamp(job["started_at"], UTC),
        updated_at=datetime.fromtimestamp(job["updated_at"], UTC),
        error=job["error"],
        document=job["document"],
        owner=describe(job["owner"]) if running and not dead else "",
        heartbeat_at=_moment(job["heartbeat_at"]),
        lease_expires_at=_moment(job["lease_expires_at"]) if running and not dead else None,
        cancel_requested=job["cancel_requested"],
    )


def _moment(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def lease(now: float) -> dict[str, float]:
    """Columns of a sign of life at `now`, in Unix seconds."""
    return {"heartbeat_at": now, "lease_expires_at": now + LEASE_SECONDS}


def newest(connection: Connection, *, limit: int | None, beginning: str = "") -> list[Job]:
    """At most `limit` jobs, newest first, of collections that begin so; all of them for None."""
    most = None if limit is None else max(limit, 0)
    query = select(J.__table__).order_by(J.id.desc()).limit(most)
    if beginning:
        query = query.where(func.substr(J.collection, 1, len(beginning)) == beginning)
    rows = connection.execute(query)
    return [as_job(row, now=time.time()) for row in rows]


def load(connection: Connection, job_id: int) -> Job:
    """The job with this id; raises `UnknownJob`."""
    row = None
    if job_id < _BEYOND_ALL:
        row = connection.execute(select(J.__table__).where(J.id == job_id)).one_or_none()
    if row is None:
        raise unknown(job_id)
    return as_job(row, now=time.time())


def unknown(job_id: int) -> UnknownJob:
    """The error for a number that no job has."""
    return UnknownJob(f"No job {job_id}.", subject=job_id, remedy="See `hmt-qa jobs` for the numbers.")


def cancel(connection: Connection, job_id: int) -> None:
    """Ask a running job's owner to stop, or close a job that nobody works on; raises `UnknownJob` and `JobEnded`."""
    job = load(connection, job_id)
    if job.state in ENDED:
        raise JobEnded(
            f"Job {job_id} ({job.path}) is {job.state} already.",
            subject=job_id,
            remedy="There is nothing to cancel; `hmt-qa rm` deletes a document.",
        )
    changed: dict[str, object] = {"cancel_requested": True}
    if job.state is not JobState.RUNNING:
        changed |= {"state": JobState.CANCELLED, "owner": "", "lease_expires_at": 0.0}
    connection.execute(update(J).where(J.id == job_id).values(changed))


def discard(connection: Connection, job_id: int) -> None:
    """Delete a job that nobody works on, and the unfinished memory only it had; raises as `load` does."""
    job = load(connection, job_id)
    if job.state is JobState.RUNNING:
        raise taken(job.path, job.owner)
    memory_id = connection.execute(delete(J).where(J.id == job_id).returning(J.memory_id)).scalar_one()
    drop_if_unused(connection, memory_id or 0)


def refuse_if_running(connection: Connection, location: Location, *, memory_id: int = 0) -> None:
    """Raise `AlreadyIngesting` while a live process reads this location, or writes this memory (0 for none)."""
    same = or_(_at(location), J.memory_id == memory_id)
    running = select(J.owner, J.lease_expires_at, J.path).where(J.state == JobState.RUNNING, same)
    for owner, expires_at, other in connection.execute(running):
        if is_alive(owner, lease_left=expires_at - time.time()):
            raise taken(other, describe(owner))


def taken(path: str, owner: str) -> AlreadyIngesting:
    """The error for an ingestion that another owner has."""
    return AlreadyIngesting(
        f"{path} is being ingested by {owner}.",
        subject=path,
        remedy="Wait until it has finished, or stop it with `hmt-qa cancel`; what it has read is kept.",
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
            tokens_total=0,
            updated_at=now,
            cancel_requested=False,
            **done.columns,
            **lease(now),
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
    changed = {"state": state, "owner": "", "lease_expires_at": 0.0, "updated_at": time.time()} | columns
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


def refuse_if_cancelled(job: Row[*tuple[object, ...]]) -> None:
    """Raise `JobCancelled` where somebody has asked for this job to stop."""
    if job.cancel_requested:
        raise cancelled(job.id, job.path)


def cancelled(job_id: int, path: str) -> JobCancelled:
    """The error for a job that was asked to stop."""
    return JobCancelled(
        f"The ingestion of {path} was cancelled.", subject=path, remedy=f"`hmt-qa resume {job_id}` goes on with it."
    )


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
