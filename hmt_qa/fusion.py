"""One ranking from two: what the memory attends to and what holds the question's words; knows no documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log, sqrt
from typing import TypeVar

T = TypeVar("T")

LEAST = 1e-38  # of a weight, so that it has a logarithm


def between(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Shares (they sum to 1) half-way between two rankings of the same things: their geometric mean, normalised."""
    parts = [sqrt(max(a, LEAST)) * sqrt(max(b, LEAST)) for a, b in zip(one, other, strict=True)]
    total = sum(parts)
    return [part / total for part in parts]


def fuse(weights: Mapping[T, float], words: Mapping[T, float], *, trust: float) -> dict[T, float]:
    """Shares (they sum to 1) of weight x exp(trust x BM25) for each thing that has a weight.

    `weights` are the memory's, `words` BM25 scores, 0 for what is not among them. Both say independently how likely a
    place is to answer, so their evidence multiplies; measured against reciprocal rank fusion in docs/decisions/0006.
    """
    sums = {thing: log(max(weight, LEAST)) + trust * words.get(thing, 0.0) for thing, weight in weights.items()}
    top = max(sums.values(), default=0.0)
    parts = {thing: exp(value - top) for thing, value in sums.items()}
    total = sum(parts.values())
    return {thing: part / total for thing, part in parts.items()}
