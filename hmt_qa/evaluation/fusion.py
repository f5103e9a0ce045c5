"""Weighted reciprocal rank fusion of two rankings of one document, as `hmt_qa.retrieval.Retriever` does it."""

from __future__ import annotations

from collections.abc import Sequence

from hmt_qa.retrieval import FUSION_OFFSET


def fuse(first: Sequence[int], second: Sequence[int], *, share: float) -> list[int]:
    """Segment numbers, best first; `share` of the score is the first ranking's, unless one of them is empty."""
    share = share if first and second else float(bool(first))
    scores: dict[int, float] = {}
    for ranking, weight in ((first, share), (second, 1 - share)):
        for rank, segment in enumerate(ranking, 1):
            scores[segment] = scores.get(segment, 0.0) + weight / (FUSION_OFFSET + rank)
    return sorted(scores, key=lambda segment: (-scores[segment], segment))
