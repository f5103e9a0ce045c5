"""Renews a job's lease while its owner works, and listens for a cancellation; knows nothing of segments."""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy import select, update

from hmt_qa.errors import LibraryProblem
from hmt_qa.types import JobState
from hmt_storage.database import Database
from hmt_storage.jobs import Claim, lease
from hmt_storage.owner import release
from hmt_storage.tables import JobRecord as J

LISTEN_SECONDS = 0.5
"""How often the job's row is looked at."""
BEAT_SECONDS = 10.0
"""How old a heartbeat may be before it is renewed; each commit is one too."""

_log = logging.getLogger(__name__)


class Heartbeat:
    """A thread for one claim; it ends with `stop`, with the database, or when the claim is lost.

    A long pause of the owner (a page of dense pictures, a large model) is no death: the process lives and says so.
    """

    def __init__(self, database: Database, claimed: Claim) -> None:
        self._database = database
        self._claimed = claimed
        self._stopped = threading.Event()
        self._cancelled = threading.Event()

    def start(self) -> None:
        """Begin, once the claim is committed."""
        threading.Thread(target=self._watch, name=f"hmt-qa job {self._claimed.job_id}", daemon=True).start()

    @property
    def cancelled(self) -> bool:
        """Whether somebody has asked for the job to stop."""
        return self._cancelled.is_set()

    def stop(self) -> None:
        """Let the claim's owner count as dead, also where the database could not be told."""
        release(self._claimed.owner)
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(LISTEN_SECONDS) and not self._database.closed:
            try:
                if not self._look():
                    return
            except LibraryProblem as problem:  # busy or full: the next look may do better
                _log.warning("heartbeat_missed job=%d error=%s", self._claimed.job_id, problem)

    def _look(self) -> bool:
        """Read the row and renew its lease where that is due; False when there is nothing left to look after."""
        mine = (J.id == self._claimed.job_id) & (J.run == self._claimed.run) & (J.state == JobState.RUNNING)
        with self._database.read() as connection:
            row = connection.execute(select(J.cancel_requested, J.heartbeat_at).where(mine)).one_or_none()
        if row is None:
            return False
        if row.cancel_requested:
            self._cancelled.set()
        if time.time() - row.heartbeat_at >= BEAT_SECONDS:
            with self._database.append() as connection:
                connection.execute(update(J).where(mine, J.owner == self._claimed.owner).values(**lease(time.time())))
        return True
