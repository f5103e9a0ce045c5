"""Means, paired differences and ratios with bootstrap intervals; knows numbers only.

Shapes: N measured things (questions, documents) · C columns · R resamples.
Source: the percentile bootstrap (Efron, 1979); pairs are resampled together, so that what is common cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
LEVEL = 0.95
SEED = 20_240_505
_ROWS = 500  # resamples drawn at once

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval, from `count` measured things; all three are NaN where there is none."""

    value: float
    low: float
    high: float
    count: int


def mean(values_N: Sequence[float] | Floats, *, seed: int = SEED) -> Estimate:
    """Mean of independent values."""
    return _bootstrap([values_N], lambda sums_RC, count: sums_RC[:, 0] / count, seed)


def difference(first_N: Sequence[float] | Floats, second_N: Sequence[float] | Floats, *, seed: int = SEED) -> Estimate:
    """Mean of first - second, where values at one place belong together."""
    return _bootstrap([first_N, second_N], lambda sums_RC, count: (sums_RC[:, 0] - sums_RC[:, 1]) / count, seed)


def ratio(first_N: Sequence[float] | Floats, second_N: Sequence[float] | Floats, *, seed: int = SEED) -> Estimate:
    """Mean of first over mean of second, paired; resamples whose second mean is zero are left out."""
    return _bootstrap([first_N, second_N], lambda sums_RC, _: _divided(sums_RC[:, 0], sums_RC[:, 1]), seed)


def perplexity(losses_N: Sequence[float] | Floats, tokens_N: Sequence[float] | Floats, *, seed: int = SEED) -> Estimate:
    """exp of the mean over all tokens, from documents' summed losses (nats); resampled by document."""
    return _bootstrap([losses_N, tokens_N], lambda sums_RC, _: np.exp(_divided(sums_RC[:, 0], sums_RC[:, 1])), seed)


def perplexity_ratio(
    first_N: Sequence[float] | Floats,
    second_N: Sequence[float] | Floats,
    tokens_N: Sequence[float] | Floats,
    *,
    seed: int = SEED,
) -> Estimate:
    """Perplexity of first over that of second on the same tokens, resampled by document; below 1, first is better."""

    def of(sums_RC: Floats, _: int) -> Floats:
        return np.exp(_divided(sums_RC[:, 0] - sums_RC[:, 1], sums_RC[:, 2]))

    return _bootstrap([first_N, second_N, tokens_N], of, seed)


def _bootstrap(
    columns: Sequence[Sequence[float] | Floats], statistic: Callable[[Floats, int], Floats], seed: int
) -> Estimate:
    """`statistic` of column sums (R, C), of the sample and of resamples of its rows."""
    values_NC = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    count = len(values_NC)
    if count == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    sums_RC = (_times(count, seed) @ values_NC.astype(np.float32)).astype(np.float64)
    tail = (1 - LEVEL) / 2
    drawn_R = statistic(sums_RC, count)
    drawn_R = drawn_R[~np.isnan(drawn_R)]
    low, high = np.quantile(drawn_R, [tail, 1 - tail]) if len(drawn_R) else (np.nan, np.nan)
    return Estimate(float(statistic(values_NC.sum(axis=0)[None], count)[0]), float(low), float(high), count)


@lru_cache(maxsize=4)
def _times(count: int, seed: int) -> npt.NDArray[np.float32]:
    """How often each of `count` things is drawn in each resample, (R, N): the same for all figures of one sample."""
    rng = np.random.default_rng(seed)
    times_RN = np.empty((RESAMPLES, count), dtype=np.float32)
    rows = np.arange(_ROWS)[:, None] * count
    for first in range(0, RESAMPLES, _ROWS):
        drawn = rng.integers(count, size=(_ROWS, count)) + rows
        times_RN[first : first + _ROWS] = np.bincount(drawn.ravel(), minlength=_ROWS * count).reshape(_ROWS, count)
    return times_RN


def _divided(first_R: Floats, second_R: Floats) -> Floats:
    result_R: Floats = np.full(first_R.shape, np.nan)
    np.divide(first_R, second_R, out=result_R, where=second_R != 0)
    return result_R
