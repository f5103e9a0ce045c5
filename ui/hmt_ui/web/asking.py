"""One question as the page sees it: what to show now, again and again until the answer is whole."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from time import monotonic
from typing import cast

from hmt_qa import DocumentQA
from hmt_qa.errors import HmtQaError, NothingIngested
from hmt_qa.types import Answer, Mode
from hmt_ui.web.inbox import INTERNAL_ERROR

_log = logging.getLogger(__name__)

NOTHING_TO_ASK = "There is no document to ask yet. Add one first."
SHOW_EVERY = 0.05  # seconds; text that comes faster is shown together


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A question and what there is of its answer. At the end either `answer` or `problem` is set."""

    question: str
    text: str = ""
    answer: Answer | None = None
    problem: str = ""

    @property
    def ended(self) -> bool:
        """Nothing more will come."""
        return self.answer is not None or bool(self.problem)


def turns(qa: DocumentQA, question: str, *, documents: Sequence[str], mode: Mode, top: int) -> Iterator[Turn]:
    """The turn as it grows. Closing this generator closes the answer's stream, which stops the model."""
    turn = Turn(question=question)
    yield turn
    try:
        stream = qa.stream(question, documents=documents, mode=mode, top=top)
        with closing(cast("Generator[str | Answer]", stream)) as pieces:
            yield from _growing(turn, pieces)
    except NothingIngested:
        yield replace(turn, problem=NOTHING_TO_ASK)
    except HmtQaError as problem:
        yield replace(turn, problem=str(problem))
    except Exception:
        _log.exception("question_failed")
        yield replace(turn, problem=INTERNAL_ERROR)


def _growing(turn: Turn, pieces: Iterator[str | Answer]) -> Iterator[Turn]:
    shown = 0.0
    for piece in pieces:
        if isinstance(piece, Answer):
            yield replace(turn, text=piece.text, answer=piece)
            return
        turn = replace(turn, text=turn.text + piece)
        if monotonic() - shown >= SHOW_EVERY:
            yield turn
            shown = monotonic()
