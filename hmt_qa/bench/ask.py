"""How soon a question's first token comes, by the length of the document that is resumed.

Shapes: N segments · M memories a segment · D hidden size · T tokens.
"""

from __future__ import annotations

import statistics
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from time import perf_counter

import numpy as np
import torch

from hmt_qa.bench.baselines import whole_as_context
from hmt_qa.bench.documents import FIRST_ID
from hmt_qa.bench.limits import drain, measure_limits, median_seconds, seconds_of, this_machine
from hmt_qa.bench.report import Report
from hmt_qa.engine import LocalEngine

TURNS = 15
WARMING = 2
QUESTION = 24  # tokens
CONTEXT = 100_000
_NEVER = (0,)  # a stop id: these answers are as long as they may be


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Tokens of the documents asked, the longest last; `context`: whether the whole text is also read as a prompt."""

    lengths: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    new_tokens: int = 32
    context: bool = True


def ask(engine: LocalEngine, sizes: Sizes) -> Report:
    """Resume from random memories in host memory, recall, read evidence, write: medians of turns through lengths."""
    device = engine.machine.device
    report = Report(what="ask", machine=this_machine(device), limits=measure_limits(device), setting=engine.setting)
    memories = {length: _memories(engine, length) for length in sizes.lengths}
    times: dict[int, list[tuple[float, float]]] = {length: [] for length in sizes.lengths}
    for turn in range(WARMING + TURNS):
        for length in sizes.lengths:
            took = _first_token(engine, memories[length], turn)
            if turn >= WARMING:
                times[length].append(took)
    firsts = {}
    for length, seen in times.items():
        recall, first = (1e3 * statistics.median(column) for column in zip(*seen, strict=True))
        resume = 1e3 * median_seconds(partial(engine.rows, memories[length], engine.hidden), device)
        report.add(f"{length:,} tokens: memory to the device, by itself", resume, "ms")
        report.add(f"{length:,} tokens: question, resume and recall", recall, "ms")
        bar = 25 if length == sizes.lengths[-1] else None
        firsts[length] = report.add(f"{length:,} tokens: resume to first token", first, "ms", bar=bar)
    report.add("longest against shortest", firsts[sizes.lengths[-1]] / firsts[sizes.lengths[0]], "times", bar=1.1)
    report.add("tokens of an answer", _rate(engine, memories[sizes.lengths[0]], sizes.new_tokens), "tokens/s")
    if sizes.context:
        ids_T = torch.from_numpy(_ids(engine, CONTEXT, seed=3)).to(device)
        whole_as_context(engine.model, ids_T[:1000])
        context = 1e3 * seconds_of(lambda: whole_as_context(engine.model, ids_T), device)
        report.add(f"the backbone given {CONTEXT:,} tokens as context: first token", context, "ms")
        report.add("the longest resumed against that", context / firsts[sizes.lengths[-1]], "times", bar=50)
    return report


def _first_token(engine: LocalEngine, raw: bytes, turn: int) -> tuple[float, float]:
    """Seconds until the memory is resumed and recalled, and until the first token is there.

    As retrieval does it: the device is at the question while the host hands over the memory.
    """
    drain(engine.machine.device)
    began = perf_counter()
    summary_1D = engine.summarise(_ids(engine, QUESTION, seed=turn).tolist())
    prompt_1MD, _ = engine.recall(summary_1D, engine.rows(raw, engine.hidden))
    recalled = perf_counter()
    next(_written(engine, prompt_1MD, turn, most=1))
    return recalled - began, perf_counter() - began


def _rate(engine: LocalEngine, raw: bytes, most: int) -> float:
    """Tokens a second behind the first one."""
    summary_1D = engine.summarise(_ids(engine, QUESTION, seed=0).tolist())
    prompt_1MD, _ = engine.recall(summary_1D, engine.rows(raw, engine.hidden))
    written = _written(engine, prompt_1MD, 0, most=most)
    next(written)
    began = perf_counter()
    count = sum(1 for _ in islice(written, most))
    return count / (perf_counter() - began)


def _written(engine: LocalEngine, prompt_1MD: torch.Tensor, turn: int, *, most: int) -> Generator[int]:
    evidence = engine.config.evidence_passages * engine.segment_length
    return engine.generate(
        prompt_1MD, _ids(engine, evidence + QUESTION, seed=turn).tolist(), max_new_tokens=most, stop_ids=_NEVER
    )


def _memories(engine: LocalEngine, length: int) -> bytes:
    """Random memories of a document of so many tokens, of the size of real ones."""
    torch.manual_seed(length)
    segments = -(-length // engine.segment_length)
    scale = float(engine.model.memory.initial_memory_MD.detach().float().std())
    rows_ND = torch.randn(segments, engine.hidden).mul_(scale)
    return engine.raw(rows_ND.to(engine.machine.dtype))


def _ids(engine: LocalEngine, count: int, *, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.random.default_rng(seed).integers(FIRST_ID, engine.config.vocab_size, count)
