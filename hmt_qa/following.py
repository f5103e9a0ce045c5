"""One question of two: what a follow-up means, written out as far as a rule can; knows no model."""

from __future__ import annotations

import re

from hmt_qa.keywords import STOP_WORDS, terms

_NUMBER = re.compile(r"\d+")


def together(earlier: str, question: str) -> str:
    """The earlier question and the one that goes with it as one text.

    "and in 2021?" has nothing but a number of its own: it stands in the place of the earlier question's only one.
    """
    own, before = _NUMBER.findall(question), set(_NUMBER.findall(earlier))
    if len(own) == len(before) == 1 and set(terms(question)) - STOP_WORDS == set(own):
        return _NUMBER.sub(own[0], earlier)
    return f"{earlier} {question.strip()}"
