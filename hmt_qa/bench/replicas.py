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


def replicas(model: Path, count: int, sizes: Sizes) -> Report:
    """Each of `count` processes reads as many documents; raises `BenchmarkRefused` with fewer GPUs than that."""
    there = torch.cuda.device_count()
    if there < count:
        raise BenchmarkRefused(f"{count} replicas need {count} GPUs; here are {there}.", remedy="Ask for fewer.")
    device = torch.device("cuda")
    report = Report(what="replicas", machine=this_machine(device), limits=measure_limits(device), setting=str(model))
    alone = report.add("one GPU", _rate(model, 1, sizes), "documents/s")
    together = report.add(f"{count} GPUs", _rate(model, count, sizes), "documents/s")
    report.add(f"{count} GPUs against one", together / alone, "times", bar=0.95 * count)
    return report


def _rate(model: Path, count: int, sizes: Sizes) -> float:
    context = torch.multiprocessing.get_context("spawn")
    ready, said = context.Barrier(count), context.Queue()
    processes = [
        context.Process(target=_read, args=(place, model, sizes, ready, said), daemon=True) for place in range(count)
    ]
    for process in processes:
        process.start()
    seconds: list[float] = [said.get(timeout=PATIENCE_SECONDS) for _ in processes]
    for process in processes:
        process.join()
    return count * sizes.documents / max(seconds)


def _read(place: int, model: Path, sizes: Sizes, ready: Any, said: Any) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = str(place)  # before this process asks for a device
    engine = LocalEngine(model)
    warm(engine, sizes.documents)
    documents = sizes.drawn(engine)
    ready.wait(PATIENCE_SECONDS)
    began = perf_counter()
    side_by_side(engine, documents)
    said.put(perf_counter() - began)
