"""How likely an answer is right, from plain numbers; knows no model and no text.

A logistic regression over what the reader's own odds say. Its coefficients are of one model and lie beside its
weights, in a file of their own: `docs/decisions/0022-confidence-beside-the-weights.md`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import exp, isfinite, log
from pathlib import Path
from statistics import fmean
from typing import Self

from hmt_qa.errors import InvalidCheckpoint

FILE = "confidence.json"
_LEAST = 1e-6  # of a probability, so that it has odds


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What a reader thought while it wrote one answer.

    refusal: probability that its first token says "not answered here". log_probabilities: of the tokens it wrote, up to
    and with the end mark (nats). share: of the best place among all candidates, 0 to 1.
    """

    refusal: float
    log_probabilities: tuple[float, ...]
    share: float

    @property
    def numbers(self) -> tuple[float, ...]:
        """What the regression weighs: log odds of the refusal, mean and least log-probability, log share."""
        refusal = min(max(self.refusal, _LEAST), 1 - _LEAST)
        chosen = self.log_probabilities or (log(_LEAST),)
        return log(refusal / (1 - refusal)), fmean(chosen), min(chosen), log(max(self.share, _LEAST))
