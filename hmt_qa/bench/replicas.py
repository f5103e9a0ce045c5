"""Documents a second with one model on each of several GPUs, against one GPU alone: processes that share nothing."""

from __future__ import annotations

import os
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from hmt_qa.bench.ingest import Sizes, side_by_side, warm
from hmt_qa.bench.limits import measure_limits, this_machine
from hmt_qa.bench.report import Report
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import BenchmarkRefused

PATIENCE_SECONDS = 600.0
TURNS = 3


def replicas(model: Path, count: int, sizes: Sizes, *, device: torch.device) -> Report:
    """Each of `count` processes reads as many documents; raises `BenchmarkRefused` with fewer GPUs than that.

    In turns the first of them alone and then all of them; the best of each, since they may only be held up.
    """
    there = torch.cuda.device_count() if device.type == "cuda" else count
    if there < count:
        raise BenchmarkRefused(f"{count} replicas need {count} GPUs; here are {there}.", remedy="Ask for fewer.")
    report = Report(what="replicas", machine=this_machine(device), limits=measure_limits(device), setting=str(model))
    alone, together = _best(model, count, sizes, device.type)
    report.add("one GPU", sizes.documents / alone, "documents/s")
    report.add(f"{count} GPUs", count * sizes.documents / together, "documents/s")
    report.add(f"{count} GPUs against one", count * alone / together, "times", bar=0.95 * count)
    return report


def _best(model: Path, count: int, sizes: Sizes, device: str) -> tuple[float, float]:
    """Least seconds of the first process alone, and of the last one to end when all read."""
    context = torch.multiprocessing.get_context("spawn")
    ready, said = context.Barrier(count), context.Queue()
    processes = [
        context.Process(target=_read, args=(place, model, sizes, device, (ready, said)), daemon=True)
        for place in range(count)
    ]
    for process in processes:
        process.start()
    times: list[tuple[int, bool, float]] = [said.get(timeout=PATIENCE_SECONDS) for _ in range(TURNS * (count + 1))]
    for process in processes:
        process.join()
    alone = min(seconds for _, together, seconds in times if not together)
    last = [max(seconds for turn, together, seconds in times if together and turn == one) for one in range(TURNS)]
    return alone, min(last)


def _read(place: int, model: Path, sizes: Sizes, device: str, meeting: tuple[Any, Any]) -> None:
    ready, said = meeting
    os.environ["CUDA_VISIBLE_DEVICES"] = str(place)  # before this process asks for a device
    engine = LocalEngine(model, device=device)
    warm(engine, sizes.documents)
    documents = sizes.drawn(engine)
    for turn in range(TURNS):
        for together in (False, True):
            ready.wait(PATIENCE_SECONDS)
            if together or place == 0:
                began = perf_counter()
                side_by_side(engine, documents)
                said.put((turn, together, perf_counter() - began))
