"""Confidences against what was right: fitted, and judged by reliability and by risk over coverage; numbers only.

Shapes: N answers · F numbers of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hmt_qa.evaluation.statistics import LEVEL, Estimate

Floats = npt.NDArray[np.float64]

BINS = 10
_RESAMPLES = 500
_RIDGE = 1.0  # on the weights, not on the bias: a few hundred answers are fitted by four numbers
_STEPS = 50


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose confidence is in [low, low + 1/BINS): how many, how confident on average, how many were right."""

    low: float
    count: int
    confidence: float
    right: float


def fit(numbers_NF: Sequence[Sequence[float]], right_N: Sequence[bool]) -> tuple[tuple[float, ...], float]:
    """Weights and bias of the logistic regression of `right` on the numbers, by Newton's method."""
    values = np.asarray(numbers_NF, dtype=np.float64)
    with_one, wanted = np.c_[values, np.ones(len(values))], np.asarray(right_N, dtype=np.float64)
    ridge = np.diag([_RIDGE] * values.shape[1] + [1e-9])
    found: Floats = np.zeros(values.shape[1] + 1)
    for _ in range(_STEPS):
        share = 1 / (1 + np.exp(-np.clip(with_one @ found, -50, 50)))
        slope = with_one.T @ (share - wanted) + ridge @ found
        found -= np.linalg.solve(with_one.T @ (with_one * (share * (1 - share))[:, None]) + ridge, slope)
    return tuple(map(float, found[:-1])), float(found[-1])


def reliability(confidence_N: Sequence[float], right_N: Sequence[bool]) -> list[Bin]:
    """The reliability curve; bins without an answer are left out."""
    confidence, right = np.asarray(confidence_N, dtype=np.float64), np.asarray(right_N, dtype=np.float64)
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    held = ((number, place == number) for number in range(BINS))
    return [
        Bin(number / BINS, int(of.sum()), float(confidence[of].mean()), float(right[of].mean()))
        for number, of in held
        if of.any()
    ]


def calibration_error(confidence_N: Sequence[float], right_N: Sequence[bool]) -> float:
    """ECE: how far confidence and share of right answers lie apart, bins weighted by their answers."""
    bins = reliability(confidence_N, right_N)
    return sum(one.count * abs(one.confidence - one.right) for one in bins) / max(1, len(confidence_N))


def risks(confidence_N: Sequence[float], right_N: Sequence[bool]) -> Floats:
    """Share of wrong answers among the 1, 2, … N most confident, (N,)."""
    order = np.argsort(-np.asarray(confidence_N, dtype=np.float64), kind="stable")
    wrong = 1 - np.asarray(right_N, dtype=np.float64)[order]
    found: Floats = np.cumsum(wrong) / np.arange(1, len(wrong) + 1)
    return found


def risk_area(confidence_N: Sequence[float], right_N: Sequence[bool]) -> float:
    """AURC: the mean of `risks`; 0 for one that is never wrong, the share of wrong answers for a guess."""
    return float(risks(confidence_N, right_N).mean()) if len(confidence_N) else float("nan")


def estimate(
    statistic: Callable[[Sequence[float], Sequence[bool]], float],
    confidence_N: Sequence[float],
    right_N: Sequence[bool],
    *,
    seed: int,
) -> Estimate:
    """A statistic with its bootstrap interval over answers."""
    count, rng = len(confidence_N), np.random.default_rng(seed)
    confidence, right = np.asarray(confidence_N, dtype=np.float64), np.asarray(right_N, dtype=bool)
    drawn = (rng.integers(count, size=count) for _ in range(_RESAMPLES if count else 0))
    values = [statistic(confidence[of].tolist(), right[of].tolist()) for of in drawn]
    tail = (1 - LEVEL) / 2
    if not values:
        return Estimate(np.nan, np.nan, np.nan, 0)
    value = statistic(confidence_N, right_N)
    # Resamples are rougher than the sample, so an ECE may lie below all of theirs.
    low, high = np.quantile([value, *values], [tail, 1 - tail])
    return Estimate(value, min(value, float(low)), max(value, float(high)), count)
