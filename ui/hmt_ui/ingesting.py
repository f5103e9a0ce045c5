"""An ingestion on the command line: results as they come, a bar and how fast it was on stderr, and the exit code."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

from hmt_qa.lanes import Meter
from hmt_qa.ports import ProgressObserver
from hmt_qa.types import IngestResult, IngestStatus
from hmt_ui import printing
from hmt_ui.progress import IngestProgress

INTERRUPTED = 130
_BAD = {IngestStatus.FAILED, IngestStatus.CANCELLED}


def report(
    start: Callable[[ProgressObserver], Iterator[IngestResult]],
    *,
    meter: Meter,
    as_json: bool,
    dry_run: bool = False,
) -> int:
    """Print what `start` yields, and in the end what `meter` counted.

    Returns 0, 1 where an input failed or was cancelled, 130 after Ctrl-C or SIGTERM.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    bad = False
    with IngestProgress() as bar:
        try:
            for result in start(bar.show):
                bar.end(result.path)
                printing.ingested(result, as_json=as_json, dry_run=dry_run)
                bad = bad or result.status in _BAD
        except KeyboardInterrupt:
            print("hmt-qa: interrupted; run the same command again to go on.", file=sys.stderr)
            return INTERRUPTED
    if meter.tokens:
        print(f"hmt-qa: {_speed(meter)}", file=sys.stderr)
    return int(bad)


def _speed(meter: Meter) -> str:
    return (
        f"{meter.tokens:,} tokens read in {meter.seconds:.1f} s, {meter.tokens / meter.seconds:,.0f} tokens/s; "
        f"the model was busy {meter.share:.0%} of the time."
    )


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    """`docker stop` and job schedulers send SIGTERM: leave as on Ctrl-C, with everything committed kept."""
    raise KeyboardInterrupt
