"""Perplexity over every token of the long documents: with memory, with recall off, without, and of baselines."""

from __future__ import annotations

from collections.abc import Sequence

from hmt_qa.errors import InvalidCheckpoint
from hmt_qa.evaluation import statistics
from hmt_qa.evaluation.corpora import long_documents
from hmt_qa.evaluation.encoding import encode
from hmt_qa.evaluation.figures import POOLED, Figure, Results
from hmt_qa.evaluation.losses import ReadingMode, document_losses, predicted_tokens
from hmt_qa.evaluation.options import Options
from hmt_qa.evaluation.subjects import Subject

MEMORY, NO_RECALL, NO_MEMORY = "memory", "memory, recall off", "same weights, no memory"
_OWN = {MEMORY: ReadingMode.HMT, NO_RECALL: ReadingMode.RMT, NO_MEMORY: ReadingMode.NONE}

Documents = Sequence[Sequence[Sequence[int]]]


def evaluate(options: Options) -> Results:
    """Perplexity of each reading, and its ratio to the checkpoint's own; intervals are over documents.

    Raises `FileMissing`, `ModelMissing`, and `InvalidCheckpoint` for a baseline with another tokenizer.
    """
    texts = long_documents(options.data)
    subject = Subject.open(options.model, device=options.device, dtype=options.dtype)
    documents = _segments(subject, [text for _, text in texts], subject.engine.segment_length, options.limit or None)
    tokens = predicted_tokens(documents)
    losses = {
        name: document_losses(subject.model, documents, mode=mode, batching=subject.batching)
        for name, mode in _OWN.items()
    }
    notes = [f"{NO_MEMORY}: a reference only, these weights were trained to have P"]
    for baseline in options.baselines:
        other = Subject.open(baseline.directory, device=options.device, dtype=options.dtype)
        _require_same_tokens(subject, other)
        mode = baseline.mode or other.mode
        losses[_unused(f"{baseline.directory.resolve().name} ({mode})", losses)] = document_losses(
            other.model, documents, mode=mode, batching=other.batching
        )
    return Results(
        figures=_figures(losses, tokens, options.seed),
        sizes={"documents": len(documents), "tokens": sum(tokens), "segment_length": subject.engine.segment_length},
        notes=notes,
    )


def _segments(subject: Subject, texts: Sequence[str], length: int, most: int | None) -> Documents:
    """Each document's ids in segments, at most `most` of them; documents of fewer than two tokens are left out."""
    encoded = [code.ids for code in encode(subject.tokenizer, texts)]
    cut = [[ids[first : first + length] for first in range(0, len(ids), length)][:most] for ids in encoded]
    return [document for document in cut if document and len(document[0]) > 1]


def _require_same_tokens(subject: Subject, other: Subject) -> None:
    if subject.tokenizer.get_vocab() != other.tokenizer.get_vocab():
        folder = other.engine.checkpoint.directory
        raise InvalidCheckpoint(
            f"{folder} has another tokenizer, so its perplexity is of other tokens.",
            subject=folder,
            remedy="Give baselines with the tokenizer of the model that is measured.",
        )


def _unused(name: str, taken: dict[str, list[float]]) -> str:
    """The name, numbered where it is taken."""
    names = [name, *(f"{name} {number}" for number in range(2, len(taken) + 3))]
    return next(free for free in names if free not in taken)


def _figures(losses: dict[str, list[float]], tokens: list[int], seed: int) -> list[Figure]:
    def figure(method: str, metric: str, estimate: statistics.Estimate) -> Figure:
        return Figure(group=POOLED, length=0, method=method, metric=metric, estimate=estimate)

    figures = [figure(name, "perplexity", statistics.perplexity(of, tokens, seed=seed)) for name, of in losses.items()]
    own = losses[MEMORY]
    return figures + [
        figure(f"{MEMORY} / {name}", "perplexity ratio", statistics.perplexity_ratio(own, of, tokens, seed=seed))
        for name, of in losses.items()
        if name != MEMORY
    ]
