"""How fast documents are read: one, many side by side, and beside them the published loop and a sentence encoder.

Shapes: T tokens · M memories a segment · D hidden size · S segments.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch

from hmt_qa.bench import work
from hmt_qa.bench.baselines import published_loop, sentence_vectors
from hmt_qa.bench.documents import random_document
from hmt_qa.bench.limits import drain, measure_limits, seconds_of, this_machine
from hmt_qa.bench.report import Report
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import BenchmarkRefused
from hmt_qa.evaluation.minilm import find
from hmt_qa.types import Segment

logger = logging.getLogger(__name__)

AGREEMENT = 0.99
"""Least mean cosine of memories and the published loop's: another order of sums in bfloat16 stays above."""
GATE_SEGMENTS = 12
LOOP_SEGMENTS = 48
_FEW_TOKENS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What is read. `baselines`: whether what it is compared with runs too."""

    tokens: int = 100_000
    documents: int = 64
    baselines: bool = True

    def drawn(self, engine: LocalEngine) -> list[list[Segment]]:
        """The documents, of random tokens."""
        return [list(random_document(engine, self.tokens, seed=seed)) for seed in range(self.documents)]


def ingest(engine: LocalEngine, sizes: Sizes, *, minilm: Path | None = None) -> Report:
    """Measure; raises `BenchmarkRefused` where the memories are not the published loop's."""
    device = engine.machine.device
    report = Report(what="ingest", machine=this_machine(device), limits=measure_limits(device), setting=engine.setting)
    cosines = _gate(engine, sizes.documents)
    report.add("agreement with the published loop, mean cosine", sum(cosines) / len(cosines), "")
    report.add("agreement with the published loop, least cosine", min(cosines), "")
    one = [list(random_document(engine, sizes.tokens, seed=0))]
    warm(engine, 1)
    alone = report.add(f"one document of {sizes.tokens:,} tokens", side_by_side(engine, one), "tokens/s")
    many = sizes.drawn(engine)
    warm(engine, sizes.documents)
    engine.meter.reset()
    together = report.add(f"{sizes.documents} documents side by side", side_by_side(engine, many), "tokens/s")
    report.add("share of that time the device was at it", engine.meter.share, "")
    for name, rate in (("one document", alone), (f"{sizes.documents} documents", together)):
        operations = work.of_document(engine.model, sizes.tokens) / sizes.tokens * rate
        report.add(f"{name}: operations", operations / 1e12, "TFLOP/s")
        report.add(f"{name}: part of the matrix rate", operations / report.limits.matrix_rate, "")
    if sizes.baselines:
        _compare(report, engine, alone=alone, together=together, minilm=minilm)
    return report


def _compare(report: Report, engine: LocalEngine, *, alone: float, together: float, minilm: Path | None) -> None:
    device = engine.machine.device
    tokens = LOOP_SEGMENTS * engine.segment_length
    ids_T = _ids(random_document(engine, tokens, seed=1)).to(device)
    published_loop(engine.model, ids_T[: 2 * engine.segment_length])
    loop = tokens / seconds_of(lambda: published_loop(engine.model, ids_T), device)
    report.add("published loop", loop, "tokens/s")
    report.add("one document against the published loop", alone / loop, "times", bar=8)
    report.add("side by side against the published loop", together / loop, "times", bar=30)
    if (folder := find(minilm)) is not None:
        text = [engine.tokenizer.decode(list(one.token_ids)) for one in random_document(engine, tokens, seed=2)]
        sentence_vectors(folder, text[:2], device)
        encoding = seconds_of(lambda: sentence_vectors(folder, text, device), device)
        report.add("MiniLM over the same text (our tokens)", tokens / encoding, "tokens/s")


def _gate(engine: LocalEngine, company: int) -> list[float]:
    """Cosines between memories read here, alone and in company, and those of the published loop."""
    documents = [
        list(random_document(engine, GATE_SEGMENTS * engine.segment_length - 7 * seed, seed=seed)) for seed in range(2)
    ]
    expected = [published_loop(engine.model, _ids(segments).to(engine.machine.device)) for segments in documents]
    got = [_rows(engine, segments) for segments in documents]
    with engine.together(company) as lanes, ThreadPoolExecutor(2, initializer=lanes.join) as threads:
        beside = list(threads.map(lambda segments: _rows(engine, segments), documents))
    cosines = [
        float(cosine)
        for version in (got, beside)
        for rows, others in zip(version, expected, strict=True)
        for row_MD, other_MD in zip(rows, others, strict=True)
        for cosine in torch.cosine_similarity(row_MD.float().cpu(), other_MD.float(), dim=-1)
    ]
    agreement = sum(cosines) / len(cosines)
    if agreement < AGREEMENT:
        raise BenchmarkRefused(
            f"The memories read here are not those of the published loop: cosine {agreement:.4f}.",
            remedy="Report this with the output of hmt-qa doctor: a fast wrong answer is worth nothing.",
        )
    return cosines


def _rows(engine: LocalEngine, segments: Sequence[Segment]) -> list[torch.Tensor]:
    raw = b"".join(row for _, row in engine.read(segments, committed=0, tail=b""))
    return list(engine.rows(raw, engine.hidden))


def warm(engine: LocalEngine, documents: int) -> None:
    """Have passes of this many documents recorded; some documents come and go."""
    few = [list(random_document(engine, _FEW_TOKENS, seed=seed)) for seed in range(documents)]
    began = perf_counter()
    side_by_side(engine, few)
    logger.info("passes_recorded documents=%d seconds=%.1f", documents, perf_counter() - began)


def side_by_side(engine: LocalEngine, documents: Sequence[Sequence[Segment]]) -> float:
    """Tokens a second of reading these side by side, memories in host memory at the end."""
    drain(engine.machine.device)
    began = perf_counter()
    with engine.together(len(documents)) as lanes, ThreadPoolExecutor(lanes.count, initializer=lanes.join) as threads:
        read = sum(threads.map(lambda segments: _read(engine, segments), documents))
    return read / (perf_counter() - began)


def _read(engine: LocalEngine, segments: Sequence[Segment]) -> int:
    return sum(len(segment.token_ids) for segment, _ in engine.read(segments, committed=0, tail=b""))


def _ids(segments: Iterable[Segment]) -> torch.Tensor:
    return torch.tensor([token for segment in segments for token in segment.token_ids])
