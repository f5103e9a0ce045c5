"""The one ASGI application: guard, REST, OpenAI's form, MCP, and the page for all the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Match, Mount
from starlette.types import Receive, Scope, Send

from hmt_ui.service import asking, completions, documents, folders, health, jobs, login, problems, tools
from hmt_ui.service.desk import Desk
from hmt_ui.service.gate import Gate
from hmt_ui.service.guard import Guard
from hmt_ui.service.kept import Kept
from hmt_ui.web.mounting import mount

API = "/api/v1"
_ABOUT = (
    "Long documents, each read once into a small memory; answers show where they stand. "
    "Problems are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) documents with a remedy."
)
_BODY_BYTES = 2_000_000
"""Most bytes of a request; an upload may have its file beside."""


def application(desk: Desk, *, hosts: Iterable[str], home: Path) -> FastAPI:
    """Everything that `serve` serves, called by the names in `hosts`; nothing in `home` is served as a file."""
    agents = tools.tool_app(desk)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with agents.router.lifespan_context(agents):
            yield

    app = FastAPI(
        title="hmt-qa",
        version=version("hmt-qa"),
        description=_ABOUT,
        lifespan=lifespan,
        middleware=[Middleware(Guard, hosts=hosts), Middleware(Gate, users=desk.qa.library.users), Middleware(Kept)],
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        max_body_size=_BODY_BYTES,
        responses=problems.documented(400, 401, 413, 422, 500),
    )
    app.state.desk = desk
    problems.install(app)
    for takes_files in (documents.router, folders.router):
        app.include_router(takes_files, prefix=API, max_body_size=_BODY_BYTES + desk.limits.upload_bytes)
    for router in (health.public, jobs.router, asking.router, health.router):
        app.include_router(router, prefix=API)
    app.include_router(completions.router)
    app.include_router(login.router)
    app.router.routes.extend(agents.routes)
    _nothing_else_under(app, API, problems.OPENAI, tools.PATH)
    mount(app, desk, home=home)
    return app


def _nothing_else_under(app: FastAPI, *prefixes: str) -> None:
    """The page answers every path that is left: under these it must not, so that what is not there is a problem."""

    async def nothing(scope: Scope, _receive: Receive, _send: Send) -> None:
        whole = dict(scope) | {"root_path": scope.get("app_root_path", "")}
        wrong_method = any(route.matches(whole)[0] is Match.PARTIAL for route in app.routes)
        raise HTTPException(405 if wrong_method else 404)

    app.router.routes.extend(Mount(prefix, app=nothing) for prefix in prefixes)
