"""Which words of a question a keyword index looks for; knows no index."""

from __future__ import annotations

import unicodedata

MOST_TERMS = 64  # a pasted page is a question too; more words than these do not change who ranks first

STOP_WORDS = frozenset(
    """a about am an and any are as at be been being but by can could did do does doing for from had has have having he
    her him his how i if in into is it its me my no nor not of on or our shall she should so some such than that the
    their them then there these they this those to was we were what when where which who whom whose why will with would
    you your tell say says said please according document text explain describe s t""".split()
)


def terms(question: str) -> list[str]:
    """What to look for: each word once, in order, without stop-words unless there is nothing else; then compounds.

    A compound is words written together (`bisect_right`, `os.path`, `12.5`): it is looked for as a phrase as well, so
    that a segment with the very name ranks above one that merely has its parts.
    """
    compounds = [tuple(_words(written)) for written in question.casefold().split()]
    words = list(dict.fromkeys(word for compound in compounds for word in compound))
    wanted = [word for word in words if word not in STOP_WORDS] or words
    phrases = dict.fromkeys(" ".join(compound) for compound in compounds if len(compound) > 1)
    return [*wanted, *phrases][:MOST_TERMS]


def _words(written: str) -> list[str]:
    return "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in written).split()
