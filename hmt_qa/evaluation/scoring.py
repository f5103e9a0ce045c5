"""Scores of one answer or one ranking; knows strings and numbers only.

Source of the answer's: normalisation, exact match and F1 of SQuAD v1.1 (Rajpurkar et al., 2016).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Collection, Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Lower case, without punctuation and articles, single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """1 where the prediction equals one of the answers once both are normalised."""
    return float(any(normalised(prediction) == normalised(answer) for answer in answers))


def f1(prediction: str, answers: Sequence[str]) -> float:
    """Harmonic mean of word precision and recall against the closest answer, 0 to 1."""
    return max((_f1(normalised(prediction).split(), normalised(answer).split()) for answer in answers), default=0.0)


def _f1(said: list[str], wanted: list[str]) -> float:
    if not said or not wanted:
        return float(said == wanted)
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted))


def first_rank(ranking: Sequence[int], gold: Collection[int]) -> int:
    """Place of the first gold thing in a ranking, from 1; 0 where none is in it."""
    return next((rank for rank, thing in enumerate(ranking, 1) if thing in gold), 0)


def hit(rank: int, top: int) -> float:
    """1 where something gold is among the `top` first."""
    return float(0 < rank <= top)


def reciprocal(rank: int) -> float:
    """1 / rank, 0 for the unranked."""
    return 1 / rank if rank else 0.0
