"""Words cut at a line end: whether the hyphen there belongs to the word.

PDFium marks every hyphen at a line end and cannot tell `exam-ple` from `long-term`. What the document has shown so far
decides: the spelling seen elsewhere wins; else a first half that is a word of its own keeps its hyphen
(`borrower-owned`), a short one (`in-house`, but not `per-tinent`) only before another such word; the rest loses it
(`partici-pation`). A capital or a digit after the hyphen keeps it.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+(?:[-\u2010\u2011'\u2019][^\W_]+)*")
_MOST_WORDS = 50_000
_TELLING = 4  # characters: shorter words begin too many others


class Vocabulary:
    """The words a document has used so far, folded; stops growing at 50,000."""

    __slots__ = ("_words",)

    def __init__(self) -> None:
        self._words: set[str] = set()

    def learn(self, text: str) -> None:
        """Take in the words of a text, hyphened ones whole and by their parts."""
        if len(self._words) < _MOST_WORDS:
            for word in set(_WORD.findall(text.casefold())):
                self._words.add(word)
                if "-" in word:
                    self._words.update(word.split("-"))

    def keeps_hyphen(self, left: str, right: str) -> bool:
        """Whether `left`, cut at a line end before `right`, is spelt with a hyphen between them."""
        before = _last_word(left).casefold()
        after = _WORD.match(right)
        if not before or after is None or not before[-1].isalpha() or not right[0].islower():
            return True
        if "-" in before:
            return True
        following = after.group().casefold()
        if before + following in self._words:
            return False
        if f"{before}-{following}" in self._words:
            return True
        return len(before) > 1 and before in self._words and (len(before) >= _TELLING or following in self._words)


def _last_word(text: str) -> str:
    words = _WORD.findall(text)
    return words[-1] if words and text.endswith(words[-1]) else ""
