"""OpenAI's form: `/v1/models` and `/v1/chat/completions`, for programs that speak nothing else.

A model is the library, `hmt-qa`, or one of its collections, `hmt-qa/NAME`. The last message of the user is the
question, and those before it are the conversation that it is understood in; each answer has a list of `citations`
beside OpenAI's own fields.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from hmt_qa import DocumentQA
from hmt_qa.errors import EmptyQuestion, HmtQaError, UnknownModel
from hmt_qa.types import Answer
from hmt_ui.service import problems, schemas
from hmt_ui.service.answers import Queued, answer, answering
from hmt_ui.service.desk import Desk, TheDesk
from hmt_ui.service.visitor import Mine

router = APIRouter(
    prefix=problems.OPENAI, tags=["OpenAI's form"], responses=problems.in_openai_form(404, 409, 413, 422, 429)
)
WHOLE = "hmt-qa"
_MOST_MESSAGES = 1_000


class Part(BaseModel):
    """One part of a message; only text is read."""

    type: str = "text"
    text: str = ""


class Message(BaseModel):
    """What was said by whom."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"] = Field(examples=["user"])
    content: str | list[Part] | None = Field(default=None, examples=["What was the revenue in 2023?"])

    @property
    def words(self) -> str:
        """Its text."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class Completion(BaseModel):
    """A request; what is not named here (temperature and the like) has no meaning for a cited answer."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(default=WHOLE, examples=[WHOLE])
    messages: list[Message] = Field(min_length=1, max_length=_MOST_MESSAGES)
    stream: bool = False

    @property
    def question(self) -> str:
        """The user's last message; raises `EmptyQuestion`."""
        said = self._asked[-1].words if self._asked else ""
        if not said.strip():
            raise EmptyQuestion("No message of the user asks anything.", remedy="Send one with a question.")
        return said

    @property
    def before(self) -> list[tuple[str, str]]:
        """Earlier questions, each with what the assistant said next."""
        pairs: list[tuple[str, str]] = []
        for message in self.messages:
            if message is self._asked[-1]:
                break
            if message.role == "user":
                pairs.append((message.words, ""))
            elif message.role == "assistant" and pairs and not pairs[-1][1]:
                pairs[-1] = (pairs[-1][0], message.words)
        return pairs

    @property
    def _asked(self) -> list[Message]:
        return [message for message in self.messages if message.role == "user"]


@router.get("/models", summary="List models")
def models(mine: Mine) -> JSONResponse:
    """The library and each of its collections."""
    listed = [{"id": name, "object": "model", "created": 0, "owned_by": WHOLE} for name in _models(mine)]
    return JSONResponse({"object": "list", "data": listed})


@router.get("/models/{model:path}", summary="Show a model")
def model(mine: Mine, model: str) -> JSONResponse:
    """One model by its name."""
    _collection(mine, model)
    return JSONResponse({"id": model, "object": "model", "created": 0, "owned_by": WHOLE})


@router.post("/chat/completions", summary="Answer a chat's last question", response_model=None)
async def completions(
    mine: Mine, desk: TheDesk, body: Completion, request: Request
) -> JSONResponse | StreamingResponse:
    """The answer, whole or as chunks."""
    stream = _stream(mine, desk, body)
    head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": body.model}
    if not body.stream:
        return JSONResponse(
            head | _whole(await answer(desk, stream, gone=request.is_disconnected), desk, body.question)
        )
    pieces = answering(desk, stream)
    chunks = _chunks(head | {"object": "chat.completion.chunk"}, await anext(pieces), pieces)
    return StreamingResponse(chunks, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _models(mine: DocumentQA) -> list[str]:
    collections = dict.fromkeys(document.collection for document in mine.documents())
    return [WHOLE, *(f"{WHOLE}/{name}" for name in collections)]


def _collection(mine: DocumentQA, model: str) -> str | None:
    """The collection that a model's name stands for, None for all; raises `UnknownModel`."""
    if model not in _models(mine):
        raise UnknownModel(f"There is no model {model!r}.", subject=model, remedy="GET /v1/models lists them.")
    return model.removeprefix(f"{WHOLE}/") if model != WHOLE else None


def _stream(mine: DocumentQA, desk: Desk, body: Completion) -> Iterator[str | Answer]:
    question = desk.limits.check_question(body.question)
    collection, most = _collection(mine, body.model), desk.limits.question_characters
    said = [(asked, answered[:most]) for asked, answered in body.before if len(asked) <= most]
    if not said:
        return mine.stream(question, collection=collection)
    return mine.stream_after(said, question, collection=collection)


def _whole(answer: Answer, desk: Desk, question: str) -> dict[str, Any]:
    asked, said = (len(desk.qa.engine.encode(text).ids) for text in (question, answer.text))
    return {
        "object": "chat.completion",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": answer.text}, "finish_reason": "stop"},
        ],
        "usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said},
        "citations": _citations(answer),
    }


async def _chunks(
    head: dict[str, Any], first: Queued | str | Answer, pieces: AsyncGenerator[Queued | str | Answer]
) -> AsyncIterator[str]:
    try:
        yield _chunk(head, {"role": "assistant", "content": ""})
        yield _piece(head, first)
        async for piece in pieces:
            yield _piece(head, piece)
    except HmtQaError as error:
        yield _line({"error": {"message": str(error), "type": type(error).__name__}})
    except Exception:
        yield _line({"error": {"message": problems.unexpected().detail, "type": "InternalError"}})
    finally:
        await pieces.aclose()
    yield "data: [DONE]\n\n"


def _piece(head: dict[str, Any], piece: Queued | str | Answer) -> str:
    if isinstance(piece, Queued):
        return f": {piece.before} before\n\n"  # a comment: OpenAI's form has no word for waiting
    if isinstance(piece, str):
        return _chunk(head, {"content": piece})
    return _chunk(head | {"citations": _citations(piece)}, {}, finish="stop")


def _chunk(head: dict[str, Any], delta: dict[str, str], *, finish: str | None = None) -> str:
    return _line(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _line(said: dict[str, Any]) -> str:
    return f"data: {json.dumps(said, ensure_ascii=False)}\n\n"


def _citations(answer: Answer) -> Sequence[dict[str, Any]]:
    return [schemas.Citation.model_validate(citation).model_dump(mode="json") for citation in answer.citations]
