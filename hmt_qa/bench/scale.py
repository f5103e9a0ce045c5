"""Time and memory against length: what is held must not grow with the document."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from time import perf_counter

import torch

from hmt_qa.bench.documents import random_document
from hmt_qa.bench.length_picture import draw
from hmt_qa.bench.limits import drain, measure_limits, this_machine
from hmt_qa.bench.report import Report
from hmt_qa.engine import LocalEngine

DRAWN = {
    "reading": "seconds of reading",
    "memory rows": "MB of memory rows, stored",
    "peak on the device": "MB on the device, at most",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Tokens of the documents read, shortest first."""

    lengths: tuple[int, ...] = (10_000, 100_000, 1_000_000, 10_000_000)


def scale(engine: LocalEngine, sizes: Sizes) -> Report:
    """Read one document of each length; memory rows are counted and let go, as ingestion stores them."""
    device = engine.machine.device
    report = Report(what="scale", machine=this_machine(device), limits=measure_limits(device), setting=engine.setting)
    _read(engine, 20 * engine.segment_length)
    peaks: dict[int, float] = {}
    for length in sizes.lengths:
        seconds, rows = _read(engine, length)
        report.add(f"{length:,} tokens: reading", seconds, "s")
        report.add(f"{length:,} tokens: rate", length / seconds, "tokens/s")
        report.add(f"{length:,} tokens: memory rows", rows / 1e6, "MB")
        peaks[length] = report.add(f"{length:,} tokens: peak on the device", _peak(device) / 1e6, "MB")
        report.add(f"{length:,} tokens: peak of this process", _resident() / 1e6, "MB")
    least = min((length for length in peaks if length >= min(100_000, sizes.lengths[-1])), default=sizes.lengths[0])
    report.add("device memory, longest against 100k", peaks[sizes.lengths[-1]] / peaks[least], "times", bar=1.05)
    return report


def picture(report: Report) -> str:
    """Time and memory of a report's lengths, drawn."""
    curves: dict[str, dict[int, float]] = {name: {} for name in DRAWN.values()}
    for figure in report.figures:
        length, _, what = figure.name.partition(" tokens: ")
        if what in DRAWN:
            curves[DRAWN[what]][int(length.replace(",", ""))] = figure.value
    return draw(curves)


def _read(engine: LocalEngine, length: int) -> tuple[float, int]:
    """Seconds, and bytes of memory rows."""
    device = engine.machine.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    drain(device)
    began = perf_counter()
    segments = random_document(engine, length, seed=length)
    size = sum(len(row) for _, row in engine.read(segments, committed=0, tail=b""))
    drain(device)
    return perf_counter() - began, size


def _peak(device: torch.device) -> int:
    """Bytes of torch's allocator; on a CPU those of the process."""
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else _resident()


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
