"""Run by a test: ingests a small document again and again, each time in a fork that dies at another statement.

python crash_everywhere.py CHECKPOINT FOLDER SCENARIO   (prints one JSON object)

This process imports everything once and loads the model; it opens no database itself, so that forks share none.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import resource
import shutil
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from sqlalchemy import event
from sqlalchemy.pool import Pool

from hmt_ingest.border import shared_sandbox
from hmt_ingest.pipeline import FileIngestor
from hmt_qa import engine as engines
from hmt_qa.app import DocumentQA
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import HmtQaError
from hmt_qa.reading import groups
from hmt_storage import ingestion as ingestions
from hmt_storage.library import SqlLibrary

OLD = "".join(f"Line {number} of the old log.{chr(12) if number % 3 == 2 else chr(10)}" for number in range(9))
NEW = OLD.replace("Line 7 of the old", "Line 7 of the new")
DISK_STEP = 12 << 10
CONTENT = (
    "SELECT d.id, d.path, d.title, m.sha256, m.setting, m.segments, m.tokens, m.pages, m.characters, m.state_id "
    "FROM documents d JOIN memories m ON m.id = d.memory_id",
    "SELECT m.sha256, m.complete FROM memories m",
    "SELECT r.number, r.state_id, r.sha256, r.row FROM memory_rows r JOIN memories m ON m.id = r.memory_id ORDER BY 1",
    "SELECT number, char_start, char_end, page_first, page_last, token_ids, text FROM segments ORDER BY 1",
    "SELECT number, char_start, char_end, label, boxes FROM pages ORDER BY 1",
    "SELECT path, state, pages_done, segments_done, tokens_done, tokens_total, document, error FROM jobs",
    "SELECT rowid > 0, memory_id > 0, text FROM segment_words WHERE segment_words MATCH 'log' ORDER BY rowid",
)


class Statements:
    """Counts what SQLite executes for the main thread, BEGIN, COMMIT and triggers included, and dies at one of it."""

    def __init__(self, *, die_at: int = -1) -> None:
        self.seen: list[str] = []
        self._die_at = die_at
        event.listen(Pool, "connect", lambda connection, _: connection.set_trace_callback(self._met))

    def _met(self, statement: str) -> None:
        # The thread that renews leases asks at times of its own.
        if threading.current_thread() is threading.main_thread():
            if len(self.seen) == self._die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            self.seen.append(" ".join(statement.split())[:60])


class Fork:
    """A child at `work`, a copy of this process; several at once need `own_sandbox`es."""

    def __init__(self, work: Callable[[], Any], *, own_sandbox: bool = False) -> None:
        self._reading, writing = os.pipe()
        self._child = os.fork()
        if not self._child:
            sandbox = shared_sandbox()
            sandbox._server._owner = 0 if own_sandbox else os.getpid()
            with os.fdopen(writing, "w") as file:
                json.dump(work(), file)
            os._exit(0)
        os.close(writing)

    def end(self) -> tuple[int, Any]:
        """The signal it died of as a negative number (0 for none), and what `work` returned."""
        with os.fdopen(self._reading) as file:
            said = file.read()
        return os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1]), json.loads(said) if said else None


def in_a_fork(work: Callable[[], Any]) -> tuple[int, Any]:
    """What became of a child that did `work`."""
    return Fork(work).end()


def ingest(home: Path, path: Path, engine: LocalEngine) -> dict[str, Any]:
    """What became of the file, and of the library."""
    try:
        library = SqlLibrary.open(home)
        (result,) = DocumentQA(library=library, engine=engine, ingestor=FileIngestor()).ingest([path])
    except HmtQaError as problem:
        return {"status": type(problem).__name__, "error": str(problem)}
    library.close()
    return {"status": str(result.status), "error": result.error}


def examine(home: Path) -> list[str]:
    """What is wrong with the file of the library; nothing for one that was not made yet."""
    if not (home / "library.db").exists():
        return []
    with closing(sqlite3.connect(home / "library.db")) as connection:
        wrong = [row for row in connection.execute("PRAGMA integrity_check") if row != ("ok",)]
        wrong += connection.execute("PRAGMA foreign_key_check").fetchall()
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'segment_words'").fetchall():
            connection.execute("INSERT INTO segment_words(segment_words, rank) VALUES ('integrity-check', 1)")
    return [repr(problem) for problem in wrong]


def content(home: Path) -> str:
    """A hash of all that an ingestion leaves behind."""
    with closing(sqlite3.connect(home / "library.db")) as connection:
        return hashlib.sha256(repr([connection.execute(query).fetchall() for query in CONTENT]).encode()).hexdigest()


class Stage:
    """A folder with a document, and a library to start from; every trial has a copy of it."""

    def __init__(self, folder: Path, engine: LocalEngine, scenario: str) -> None:
        self.path = folder / "document.txt"
        self.before, self.home = folder / "before", folder / "home"
        self.engine = engine
        self.before.mkdir(parents=True)
        if scenario != "create":
            in_a_fork(lambda: SqlLibrary.open(self.before).close())
        self.path.write_text(OLD)
        if scenario == "replace":
            in_a_fork(lambda: ingest(self.before, self.path, engine))
            self.path.write_text(NEW)

    def fresh(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.before, self.home)

    def run(self) -> dict[str, Any]:
        return ingest(self.home, self.path, self.engine)

    def whole(self) -> tuple[list[str], str]:
        """The statements of an uninterrupted run, and what it leaves behind."""
        self.fresh()

        def counting() -> list[str]:
            statements = Statements()
            self.run()
            return statements.seen

        _, seen = in_a_fork(counting)
        return seen, content(self.home)

    def recovered(self, died: int, expected: str) -> dict[str, Any]:
        """What there is after a death, and after the next run."""
        wrong = examine(self.home)
        _, then = in_a_fork(self.run)
        return {
            "died": died,
            "wrong": wrong + examine(self.home),
            "then": then["status"],
            "same": content(self.home) == expected,
        }


def kill_everywhere(stage: Stage) -> dict[str, Any]:
    """One trial for each statement."""
    statements, expected = stage.whole()
    trials = []
    for number, statement in enumerate(statements):
        stage.fresh()

        def dying(number: int = number) -> dict[str, Any]:
            Statements(die_at=number)
            return stage.run()

        died, _ = in_a_fork(dying)
        trials.append({"statement": statement} | stage.recovered(died, expected))
    return {"trials": trials}


def fill_the_disk(stage: Stage) -> dict[str, Any]:
    """No file may grow beyond a limit, which is raised until the document fits."""
    _, expected = stage.whole()
    trials: list[dict[str, Any]] = []
    limit = (stage.before / "library.db").stat().st_size
    while not trials or trials[-1]["first"]["status"] != "ingested":
        stage.fresh()

        def limited(limit: int = limit) -> dict[str, Any]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            return stage.run()

        died, first = in_a_fork(limited)
        trials.append({"limit": limit, "first": first} | stage.recovered(died, expected))
        limit += DISK_STEP
    return {"trials": trials}


def run_twice_at_once(stage: Stage) -> dict[str, Any]:
    """Two processes begin at the same moment."""
    _, expected = stage.whole()
    trials = []
    for _ in range(6):
        stage.fresh()
        held, barrier = os.pipe()

        def waiting(held: int = held, barrier: int = barrier) -> dict[str, Any]:
            os.close(barrier)
            os.read(held, 1)
            return stage.run()

        forks = [Fork(waiting, own_sandbox=True) for _ in range(2)]
        os.close(barrier)
        os.close(held)
        both = [fork.end()[1] for fork in forks]
        trials.append({"both": both} | stage.recovered(0, expected))
    return {"trials": trials}


def main() -> None:
    checkpoint, folder, scenario = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(1)
    # So that a small document has several groups, and its new memory takes over more than once.
    engines.SUMMARY_BATCH = groups.SUMMARY_BATCH = 2
    ingestions.INHERITED_AT_ONCE = 1
    engine = LocalEngine(checkpoint, device="cpu", dtype="float32")
    (folder / "warm.txt").write_text(OLD)
    ingest(folder / "warm", folder / "warm.txt", engine)
    while threading.active_count() > 1:  # a fork must not find a thread of ours in the middle of something
        time.sleep(0.01)
    gc.collect()
    gc.freeze()  # or each fork copies every page that holds a Python object
    trial = {"disk": fill_the_disk, "twice": run_twice_at_once}.get(scenario, kill_everywhere)
    sys.stdout.write(json.dumps(trial(Stage(folder / "stage", engine, scenario))) + "\n")


if __name__ == "__main__":
    main()
