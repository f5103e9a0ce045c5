"""Errors as problem details (RFC 9457): what happened, what to do, and which status that is."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from hmt_qa import errors
from hmt_qa.errors import HmtQaError

_log = logging.getLogger(__name__)

OPENAI = "/v1"
MEDIA_TYPE = "application/problem+json"
INTERNAL_ERROR = "Internal error; the server's log says more."
RETRY_SECONDS = 5

# The nearest ancestor counts.
_STATUSES: dict[type[HmtQaError], HTTPStatus] = {
    HmtQaError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.FileProblem: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnsupportedFile: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.UnknownDocument: HTTPStatus.NOT_FOUND,
    errors.UnknownConversation: HTTPStatus.NOT_FOUND,
    errors.UnknownJob: HTTPStatus.NOT_FOUND,
    errors.UnknownPage: HTTPStatus.NOT_FOUND,
    errors.UnknownUser: HTTPStatus.NOT_FOUND,
    errors.CollectionUnsuited: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UserUnsuited: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotLoggedIn: HTTPStatus.UNAUTHORIZED,
    errors.NotYours: HTTPStatus.FORBIDDEN,
    errors.TooManyLogins: HTTPStatus.TOO_MANY_REQUESTS,
    errors.HungUp: HTTPStatus.REQUEST_TIMEOUT,
    errors.UnknownModel: HTTPStatus.NOT_FOUND,
    errors.NoPicture: HTTPStatus.NOT_FOUND,
    errors.ConversationMoved: HTTPStatus.CONFLICT,
    errors.NothingIngested: HTTPStatus.CONFLICT,
    errors.ModelMismatch: HTTPStatus.CONFLICT,
    errors.AlreadyIngesting: HTTPStatus.CONFLICT,
    errors.JobEnded: HTTPStatus.CONFLICT,
    errors.TextNotKept: HTTPStatus.CONFLICT,
    errors.LibraryBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.ReaderFailed: HTTPStatus.BAD_GATEWAY,
    errors.ReaderUnsuited: HTTPStatus.CONFLICT,
    errors.QuestionProblem: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.TooManyWaiting: HTTPStatus.TOO_MANY_REQUESTS,
}


class Problem(BaseModel):
    """What went wrong and what to do."""

    type: str = Field(examples=["urn:hmt-qa:problem:UnknownDocument"], description="the kind of problem, for programs")
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["No document 'abcd'."])
    remedy: str = Field(default="", examples=["See the list of documents for the ids."], description="what to do")


def of(error: HmtQaError) -> Problem:
    """A problem of ours; one of the server is named and not told."""
    kind = next(kind for kind in type(error).__mro__ if kind in _STATUSES)
    status = _STATUSES[kind]
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request_failed error=%s", error)
    return _problem(type(error).__name__, status, detail=error.message, remedy=error.remedy)


def unexpected() -> Problem:
    """A fault of ours, of which only the log tells."""
    _log.exception("request_failed")
    return _problem("InternalError", HTTPStatus.INTERNAL_SERVER_ERROR, detail=INTERNAL_ERROR)


def response(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The problem as an HTTP answer."""
    return JSONResponse(
        problem.model_dump(),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=_later(problem) | dict(headers or {}),
    )


def answered(path: str, problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The problem in the form that the path's clients know: OpenAI's under /v1, RFC 9457 elsewhere."""
    if not path.startswith(f"{OPENAI}/"):
        return response(problem, headers)
    kind = problem.type.rpartition(":")[2]
    said = {"message": f"{problem.detail} {problem.remedy}".strip(), "type": kind, "code": kind, "param": None}
    return JSONResponse({"error": said}, status_code=problem.status, headers=_later(problem) | dict(headers or {}))


def _later(problem: Problem) -> dict[str, str]:
    return {"Retry-After": str(RETRY_SECONDS)} if problem.status in {429, 503} else {}


def install(app: FastAPI) -> None:
    """Have every error of `app` answered so."""
    app.add_exception_handler(HmtQaError, _of_ours)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_input)
    app.add_exception_handler(Exception, _unforeseen)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route's OpenAPI says of its problems."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: schema}} for status in statuses}


def in_openai_form(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same of a route that answers in OpenAI's form."""
    said = {"error": {"message": "…", "type": "UnknownModel", "code": "UnknownModel", "param": None}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {"application/json": {"example": said}}}
        for status in statuses
    }


def _problem(kind: str, status: HTTPStatus, *, detail: str, remedy: str = "") -> Problem:
    return Problem(type=f"urn:hmt-qa:problem:{kind}", title=status.phrase, status=status, detail=detail, remedy=remedy)


async def _of_ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HmtQaError)  # noqa: S101 - what it is installed for
    return answered(request.url.path, of(error))


async def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is installed for
    status = HTTPStatus(error.status_code)
    return answered(
        request.url.path,
        _problem(status.name.title().replace("_", ""), status, detail=str(error.detail)),
        error.headers,
    )


async def _of_input(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is installed for
    said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5])
    return answered(request.url.path, _problem("InvalidRequest", HTTPStatus.UNPROCESSABLE_ENTITY, detail=said))


async def _unforeseen(request: Request, _error: Exception) -> JSONResponse:
    return answered(request.url.path, unexpected())
