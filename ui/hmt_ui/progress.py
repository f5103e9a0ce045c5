"""A live bar for ingestion on stderr, drawn from the job's own stored counters; plain lines where no terminal is."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from hmt_qa.types import Job
from hmt_ui.printing import printable

LINE_SECONDS = 10.0


class IngestProgress:
    """Shows one bar a file; `show` takes the job after each committed segment."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TextColumn("{task.fields[counters]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, job: Job) -> None:
        """Move the bar of this job's file."""
        counters = (
            f"page {job.pages_done}/{job.pages_total or '?'} · {job.tokens_done:,} tokens · "
            f"{job.tokens_per_second:,.0f}/s"
        )
        if self._progress.disable:
            self._show_line(job, counters)
            return
        name = printable(Path(job.path).name)[:40]
        task = self._tasks.get(job.path)
        if task is None:
            task = self._tasks[job.path] = self._progress.add_task(name, total=1.0, counters=counters)
        self._progress.update(task, completed=job.fraction, counters=counters)

    def end(self, path: str) -> None:
        """This file's result is known: its bar goes."""
        if (task := self._tasks.pop(path, None)) is not None:
            self._progress.remove_task(task)

    def _show_line(self, job: Job, counters: str) -> None:
        if time.monotonic() - self._last_line >= LINE_SECONDS:
            self._last_line = time.monotonic()
            print(f"{job.fraction:6.1%}  {printable(Path(job.path).name)}  {counters}", file=sys.stderr, flush=True)
