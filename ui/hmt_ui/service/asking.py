"""REST: questions answered at once or as they are written, places ranked, pages weighed."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from hmt_qa.errors import HmtQaError
from hmt_qa.types import Answer
from hmt_ui.service import problems, schemas
from hmt_ui.service.answers import Queued, alone, answer, answering
from hmt_ui.service.desk import Desk, TheDesk
from hmt_ui.service.problems import documented
from hmt_ui.service.visitor import Mine

router = APIRouter(tags=["asking"])
_PROBLEMS = documented(404, 409, 413, 422, 429)
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`queued` {before}, `piece` {text} and, at the end, `answer` or `problem`",
        "content": {"text/event-stream": {"example": 'event: piece\ndata: {"text":"4.2"}\n\n'}},
    }
}


@router.post("/ask", summary="Ask", responses=_PROBLEMS)
async def ask(mine: Mine, desk: TheDesk, body: schemas.Question, request: Request) -> schemas.Answer:
    """The whole answer with its citations."""
    return schemas.Answer.of(await answer(desk, _stream(mine, desk, body), gone=request.is_disconnected))


@router.post(
    "/ask/stream", summary="Ask, and read along", response_class=StreamingResponse, responses=_EVENTS | _PROBLEMS
)
async def ask_stream(mine: Mine, desk: TheDesk, body: schemas.Question) -> StreamingResponse:
    """Server-sent events. A problem before the first of them is a problem's status; a later one is an event."""
    pieces = answering(desk, _stream(mine, desk, body))
    first = await anext(pieces)
    return StreamingResponse(
        _events(first, pieces), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


@router.post("/search", summary="Search", responses=_PROBLEMS)
async def search(mine: Mine, desk: TheDesk, body: schemas.Search) -> schemas.Places:
    """Places that speak of something, best first; no answer is written."""
    question = desk.limits.check_question(body.question)
    found = await alone(desk, lambda: mine.search(question, **body.options()))
    return schemas.Places(results=[schemas.Place.model_validate(place) for place in found])


@router.get("/heat", summary="Where a question looks", responses=_PROBLEMS)
async def heat(
    mine: Mine, desk: TheDesk, question: Annotated[str, Query(min_length=1)], document: schemas.DocumentId
) -> schemas.Heat:
    """How much a question attends to each page of one document."""
    desk.limits.check_question(question)
    weights = await alone(desk, lambda: mine.heat(question, document=document))
    pages = [schemas.PageHeat.model_validate(weight) for weight in weights]
    return schemas.Heat(document=weights[0].document, pages=pages)


def _stream(mine: Mine, desk: Desk, body: schemas.Question) -> Iterator[str | Answer]:
    """Not begun yet; what can be known to be wrong without the model is raised now."""
    question = desk.limits.check_question(body.question)
    for document in body.documents:
        mine.document(document)
    return mine.stream(question, **body.options())


async def _events(first: Queued | str | Answer, pieces: AsyncGenerator[Queued | str | Answer]) -> AsyncIterator[bytes]:
    try:
        yield _event(first)
        async for piece in pieces:
            yield _event(piece)
    except HmtQaError as error:
        yield _said("problem", problems.of(error))
    except Exception:
        yield _said("problem", problems.unexpected())
    finally:
        await pieces.aclose()


def _event(piece: Queued | str | Answer) -> bytes:
    if isinstance(piece, Answer):
        return _said("answer", schemas.Answer.of(piece))
    return _said("piece", {"text": piece}) if isinstance(piece, str) else _said("queued", {"before": piece.before})


def _said(kind: str, data: Any) -> bytes:
    return format_sse_event(event=kind, data_str=json.dumps(jsonable_encoder(data), ensure_ascii=False))
