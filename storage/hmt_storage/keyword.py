"""Full-text search over segments with SQLite's FTS5; the one file that knows its query language.

Words are runs between spaces and punctuation: languages written without spaces are found by whole runs only.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence

from sqlalchemy import Connection, text

from hmt_qa.types import Hit, Place

_MOST_TERMS = 64  # a pasted page is a question too; more words than these do not change who ranks first
_MOST_SCOPED = 64  # beyond, naming each memory in the expression costs more than ranking all and filtering

_STOP_WORDS = frozenset(
    """a about am an and any are as at be been being but by can could did do does doing for from had has have having he
    her him his how i if in into is it its me my no nor not of on or our shall she should so some such than that the
    their them then there these they this those to was we were what when where which who whom whose why will with would
    you your tell say says said please according document text explain describe s t""".split()
)

# bm25 is negative, better matches lower. Its weights: nothing for the memory's number, one for the text.
_SEARCH = text("""
    SELECT d.id, s.number, -bm25(segment_words, 0.0, 1.0) AS score
    FROM segment_words JOIN segments AS s ON s.id = segment_words.rowid JOIN documents AS d ON d.memory_id = s.memory_id
    WHERE segment_words MATCH :expression AND d.id IN (SELECT value FROM json_each(:documents))
    ORDER BY score DESC, d.id, s.number LIMIT :top
""")
_MEMORIES = text("SELECT DISTINCT memory_id FROM documents WHERE id IN (SELECT value FROM json_each(:documents))")


def terms(question: str) -> list[str]:
    """What to look for: each word once, in order, without stop-words unless there is nothing else; then compounds.

    A compound is words written together (`bisect_right`, `os.path`, `12.5`): it is looked for as a phrase as well, so
    that a segment with the very name ranks above one that merely has its parts.
    """
    compounds = [tuple(_words(written)) for written in question.casefold().split()]
    words = list(dict.fromkeys(word for compound in compounds for word in compound))
    wanted = [word for word in words if word not in _STOP_WORDS] or words
    phrases = dict.fromkeys(" ".join(compound) for compound in compounds if len(compound) > 1)
    return [*wanted, *phrases][:_MOST_TERMS]


def _words(written: str) -> list[str]:
    return "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in written).split()


def search(connection: Connection, question: str, *, documents: Sequence[str], top: int) -> list[Hit]:
    """The `top` segments of `documents` by BM25 over any of the question's words, best first."""
    wanted = terms(question)
    asked = json.dumps(list(documents))
    memories = connection.execute(_MEMORIES, {"documents": asked}).scalars().all()
    if not wanted or not memories or top < 1:
        return []
    parameters = {"expression": _expression(wanted, memories), "documents": asked, "top": top}
    rows = connection.execute(_SEARCH, parameters)
    return [Hit(place=Place(document=document, segment=number), score=score) for document, number, score in rows]


def compact(connection: Connection) -> None:
    """Merge the index into one piece: until then, deleted words stay in its older pieces beside a tombstone.

    FTS5's own secure-delete needs SQLite 3.42, and older ones cannot read an index that has used it.
    """
    connection.execute(text("INSERT INTO segment_words(segment_words) VALUES ('optimize')"))


def _expression(asked_for: Sequence[str], memories: Sequence[int]) -> str:
    # Terms hold letters, digits, marks and spaces only, so the quotes cannot be closed from inside.
    wanted = "text : (" + " OR ".join(f'"{term}"' for term in asked_for) + ")"
    if len(memories) > _MOST_SCOPED:
        return wanted
    return "memory_id : (" + " OR ".join(f'"{memory}"' for memory in memories) + f") AND {wanted}"
