"""Which of several answers two readings agree on, from plain numbers; knows no model and no text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

LEAST = 1e-6  # of a probability, so that it has a logarithm


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What one reading thinks: how likely it would refuse, 0 to 1, and the log-probability (nats) of each answer."""

    refusal: float
    answers: Sequence[float]


def mixed(parts: Sequence[Belief], weights: Sequence[float]) -> Belief:
    """Several readings as one: each counts by its weight, as far as it does not refuse. Weights sum to 1."""
    said = [log(max(weight * (1 - part.refusal), LEAST)) for part, weight in zip(parts, weights, strict=True)]
    answers = zip(*(part.answers for part in parts), strict=True)
    return Belief(
        refusal=sum(weight * part.refusal for part, weight in zip(parts, weights, strict=True)),
        answers=[log_sum([one + log_said for one, log_said in zip(of, said, strict=True)]) for of in answers],
    )


def agreed(first: Belief, second: Belief) -> int:
    """The answer whose probabilities have the highest product: one that either finds unlikely is not taken."""
    both = [one + other for one, other in zip(first.answers, second.answers, strict=True)]
    return max(range(len(both)), key=both.__getitem__)


def log_sum(logs: Sequence[float]) -> float:
    """Logarithm of the sum of what these are logarithms of."""
    most = max(logs)
    return most + log(sum(exp(one - most) for one in logs))
