"""Whether a question is about several documents together ("compare A and B"); knows titles, no model.

The rule and what it finds: docs/decisions/0021-evidence-for-a-reader.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from hmt_qa.keywords import STOP_WORDS, terms

_COMPARING = ("compar", "contrast", "differ", "similar", "respective")  # how such words begin
_COMPARING_WORDS = frozenset("both each either neither than unlike versus vs".split())
_COMMON = 0.5  # of all titles: words that more of them have name no document


def spanned(question: str, titles: Mapping[str, str], *, chosen: bool) -> list[str]:
    """The documents (ids) to look in together: two or more; none where any of them may answer.

    Those whose titles the question names; else, where the user has `chosen` the few that are asked and the question
    compares, all of them.
    """
    asked = set(terms(question))
    words = {document: _words(title) for document, title in titles.items()}
    held = Counter(word for of in words.values() for word in of)
    common = {word for word, count in held.items() if count > _COMMON * len(titles)}
    named = [document for document, of in words.items() if of - common and of - common <= asked]
    if len(named) > 1:
        return named
    return list(titles) if chosen and len(titles) > 1 and _compares(question) else []


@lru_cache(maxsize=65_536)  # ten thousand titles take a tenth of a second
def _words(title: str) -> frozenset[str]:
    """What names a document: the words of its title, without those of a letter or none of its own."""
    return frozenset(word for word in terms(title) if len(word) > 1 and " " not in word) - STOP_WORDS


def _compares(question: str) -> bool:
    words = question.casefold().split()
    return any(word.startswith(_COMPARING) or word.strip("?,.;:") in _COMPARING_WORDS for word in words)
