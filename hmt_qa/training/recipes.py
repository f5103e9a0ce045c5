"""The recipes: functions that return configurations, and nothing else.

Batch sizes are for one process (one H200 of 139 GiB), lengths in tokens. Arithmetic: 0.26 GFLOP and about 0.2 MB of
kept activations a token for the 44M shape, 0.65M tokens a second in plain training.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from hmt_qa.training.loop import Run
from hmt_qa.training.optim import Rates
from hmt_qa.training.unroll import MemoryKind

StageName = Literal["base", "memory", "answers", "asker"]

SOURCES = (
    ("squad_v1_train", 0.58),
    ("medquad", 0.10),
    ("cuad", 0.10),
    ("fairytaleqa_train", 0.08),
    ("wikitablequestions_train", 0.06),
    ("tatqa_dev", 0.04),
    ("qmsum_train", 0.03),
    ("omos_train", 0.01),
    ("made", 0.6),  # of `hmt_qa.training.asking`, where it has been run
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unroll:
    """Documents in lock-step and segments of each, from this share of the run on."""

    documents: int
    segments: int
    share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Stage 1: a backbone from scratch. rows x length tokens a step; filings: whether they are in the mix.

    asking: instead of texts and questions, passages with an answer and its question behind them (`asker`).
    """

    run: Run
    asking: bool = False
    rows: int = 48
    length: int = 2048
    filings: bool = False
    validation_windows: int = 768
    compiled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Stage 2: reading long documents through memory. keep_tokens: longer unrolls compute activations twice.

    filings: share of windows that are of the filings. calibrated: whether Wq and Wk begin anew from the states of a
    batch. continuation: weight of finding the segment before among the memories.
    """

    run: Run
    kind: MemoryKind = MemoryKind.HMT
    curriculum: tuple[Unroll, ...] = ()
    keep_tokens: int = 280_000
    filings: float = 0.6
    calibrated: bool = True
    continuation: float = 0.1
    validation_documents: int = 64
    validation_segments: int = 16
    compiled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Of the losses of stage 3. continuation: recall of the segment before. likeness and agreement: to a teacher."""

    language: float = 0.5
    recall: float = 1.0
    continuation: float = 0.2
    reading: float = 2.0
    memory_mode: float = 0.3
    likeness: float = 1.0
    agreement: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Stage 3: recall and reading.

    shapes: unrolls taken in turns. asked: share of documents made of question sets, the rest are long texts.
    reads: rows to read for each segment of those documents. recurring: the same for the long texts, of names and
    numbers that recur. groups: passes that these rows are read in, short ones first. with_initial: share of reading
    rows whose P is the initial memory. likeness_until: share of the run after which the teacher is no longer asked.
    teacher_temperature: of its softmax over cosines. calibrated: whether Wq and Wk begin anew from the states of a
    batch. balance: norm of recall's gradient beside that of language and reading, measured every balance_every steps.
    """

    run: Run
    shapes: tuple[Unroll, ...] = ()
    sources: tuple[tuple[str, float], ...] = SOURCES
    weights: Weights = field(default_factory=Weights)
    asked: float = 0.5
    reads: float = 0.75
    recurring: float = 0.5
    groups: int = 3
    with_initial: float = 0.25
    likeness_until: float = 0.7
    teacher_temperature: float = 0.05
    keep_tokens: int = 200_000
    filings: float = 0.25
    calibrated: bool = True
    balance: float = 1.0
    balance_every: int = 20
    validation_documents: int = 64
    compiled: bool = True


Recipe = Base | Memory | Answers


def base() -> Base:
    """The reference's recipe: 7,672 steps of 48 x 2048 tokens on each of 2 GPUs; 20 minutes."""
    return Base(run=Run(steps=7672, rates=Rates(), round_from=1.0, checkpoint_minutes=5.0, workers=2))


def asker() -> Base:
    """A backbone that asks: two passes over the quotes of SQuAD, 98k tokens a step a GPU."""
    rates = Rates(matrices=0.006, others=1.2e-3, warm_up=10, decay=0.8)
    return Base(run=Run(steps=200, rates=rates, workers=2), asking=True)


def memory() -> Memory:
    """Twice as many segments in each part of the run, 131k tokens a step a GPU.

    Gentle and short: on shards that the backbone has seen six times, held-out loss rose again after 150 steps.
    """
    rates = Rates(matrices=0.002, others=4e-4, recall=1e-3, prompts=2e-3, warm_up=20, decay=0.6)
    return Memory(
        run=Run(steps=300, rates=rates, workers=6, validate_minutes=0.5),
        curriculum=(
            Unroll(documents=128, segments=4),
            Unroll(documents=64, segments=8, share=0.25),
            Unroll(documents=32, segments=16, share=0.7),
        ),
    )


def answers() -> Answers:
    """384 segments a step a GPU, 384 questions about them, 144 rows to read; few passes of many rows."""
    rates = Rates(matrices=0.003, others=6e-4, recall=1e-3, prompts=2e-3, warm_up=30, decay=0.7)
    return Answers(
        run=Run(steps=4000, minutes=14.2, rates=rates, round_from=0.85, workers=10),
        shapes=(Unroll(documents=96, segments=4), Unroll(documents=48, segments=8)),
    )


def smoke(stage: StageName) -> Recipe:
    """The stage at sizes a CPU runs in seconds, every step logged."""
    rates = Rates(matrices=0.01, others=5e-3, recall=5e-3, prompts=5e-3, warm_up=2)
    run = Run(steps=6, rates=rates, log_seconds=0.0, checkpoint_minutes=60.0, validate_minutes=60.0)
    if stage in {"base", "asker"}:
        asking = stage == "asker"
        return Base(run=run, asking=asking, rows=4, length=32, validation_windows=4, compiled=False)
    if stage == "memory":
        shapes = (Unroll(documents=4, segments=2), Unroll(documents=2, segments=4, share=0.5))
        return Memory(
            run=run, curriculum=shapes, validation_documents=2, validation_segments=2, filings=0.0, compiled=False
        )
    return Answers(
        run=replace(run, round_from=0.8),
        shapes=(Unroll(documents=4, segments=4), Unroll(documents=2, segments=8)),
        filings=0.0,
        validation_documents=2,
        compiled=False,
    )
