"""How likely an answer is right, from plain numbers; knows no model and no text.

A logistic regression over what the reader's own odds say. Its coefficients are of one model and lie beside its
weights, in a file of their own: `docs/decisions/0022-confidence-beside-the-weights.md`.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from math import exp, isfinite, log
from pathlib import Path
from typing import Self

from hmt_qa.agreeing import LEAST
from hmt_qa.errors import InvalidCheckpoint

_log = logging.getLogger(__name__)

FILE = "confidence.json"
COUNT = 5  # of `Signs.numbers`


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What two readings of the same evidence thought of the answer taken: of all passages together, of parts alone.

    refusals: probability of "not answered here", 0 to 1. log_probabilities: of the answer, nats a token. share: of the
    best place among all candidates, 0 to 1.
    """

    refusals: tuple[float, float]
    log_probabilities: tuple[float, float]
    share: float

    @property
    def numbers(self) -> tuple[float, ...]:
        """What the regression weighs: log odds of both refusals, both log-probabilities, log share."""
        return (*map(_log_odds, self.refusals), *self.log_probabilities, log(max(self.share, LEAST)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """Logistic regression over `Signs.numbers`; below `threshold`, 0 to 1, an answer is not given."""

    weights: tuple[float, ...]
    bias: float
    threshold: float

    def of(self, signs: Signs) -> float:
        """How likely an answer with these signs is right, 0 to 1."""
        total = self.bias + sum(weight * number for weight, number in zip(self.weights, signs.numbers, strict=True))
        return 1 / (1 + exp(-max(-50.0, min(50.0, total))))

    @classmethod
    def read(cls, path: Path, *, fingerprint: str) -> Self | None:
        """What `write` wrote; None where there is no such file, or one of another model. Raises `InvalidCheckpoint`."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            weights = tuple(float(weight) for weight in content["weights"])
            read = cls(weights=weights, bias=float(content["bias"]), threshold=float(content["threshold"]))
            model = str(content["model"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise _invalid(path, str(exc)) from exc
        if len(weights) != COUNT or not all(map(isfinite, (*weights, read.bias, read.threshold))):
            raise _invalid(path, f"it needs {COUNT} finite weights, a bias and a threshold")
        if model != fingerprint:
            _log.warning("confidence_of_another_model path=%s", path)
            return None
        return read

    def write(self, path: Path, *, fingerprint: str) -> None:
        """Put it beside a model's weights, as JSON; `fingerprint` says whose it is."""
        path.write_text(json.dumps({"model": fingerprint} | asdict(self), indent=1) + "\n", encoding="utf-8")


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, LEAST), 1 - LEAST)
    return log(bounded / (1 - bounded))


def _invalid(path: Path, why: str) -> InvalidCheckpoint:
    return InvalidCheckpoint(
        f"{path} holds no confidence: {why}.",
        subject=path,
        remedy="Remove it, or fit it again: hmt-qa eval confidence --fit.",
    )
