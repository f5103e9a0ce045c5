"""One question as the page sees it: what to show now, again and again until the answer is whole."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from time import monotonic

from hmt_qa.errors import HmtQaError, NothingIngested
from hmt_qa.types import Answer
from hmt_ui.service.answers import Queued, answering
from hmt_ui.service.desk import Desk
from hmt_ui.service.problems import INTERNAL_ERROR

_log = logging.getLogger(__name__)

NOTHING_TO_ASK = "There is no document to ask yet. Add one first."
SHOW_EVERY = 0.05  # seconds; text that comes faster is shown together


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A question and what there is of its answer. At the end either `answer` or `problem` is set.

    `before`: how many questions of others are answered first.
    """

    question: str
    text: str = ""
    answer: Answer | None = None
    problem: str = ""
    before: int = 0

    @property
    def ended(self) -> bool:
        """Nothing more will come."""
        return self.answer is not None or bool(self.problem)


async def turns(desk: Desk, question: str, stream: Iterator[str | Answer]) -> AsyncGenerator[Turn]:
    """The turn as it grows. Closing this generator closes the answer's stream, which stops the model."""
    turn = Turn(question=question)
    yield turn
    try:
        desk.limits.check_question(question)
        async with aclosing(answering(desk, stream)) as pieces:
            async for grown in _growing(turn, pieces):
                yield grown
    except NothingIngested:
        yield replace(turn, problem=NOTHING_TO_ASK)
    except HmtQaError as problem:
        yield replace(turn, problem=str(problem))
    except Exception:
        _log.exception("question_failed")
        yield replace(turn, problem=INTERNAL_ERROR)


async def _growing(turn: Turn, pieces: AsyncIterator[Queued | str | Answer]) -> AsyncIterator[Turn]:
    shown = 0.0
    async for piece in pieces:
        if isinstance(piece, Answer):
            yield replace(turn, text=piece.text, answer=piece)
            return
        if isinstance(piece, Queued):
            yield replace(turn, before=piece.before)
            continue
        turn = replace(turn, text=turn.text + piece)
        if monotonic() - shown >= SHOW_EVERY:
            yield turn
            shown = monotonic()
