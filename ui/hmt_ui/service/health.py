"""REST: whether the service is well, and its figures for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hmt_ui.service import schemas
from hmt_ui.service.desk import TheDesk
from hmt_ui.service.figures import MEDIA_TYPE
from hmt_ui.service.problems import documented

public = APIRouter(tags=["care"])
router = APIRouter(tags=["care"])


@public.get("/health", summary="Whether the service is well", responses=documented(503))
def health(desk: TheDesk) -> schemas.Health:
    """Looks at the library; needs no login."""
    desk.qa.library.jobs(limit=1)
    return schemas.Health(status="ok", model=desk.qa.engine.model_id, ready=desk.warming.over)


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "Prometheus' text form"}},
)
def metrics(desk: TheDesk) -> Response:
    """Questions, their times, lines, documents and jobs, of all visitors together; no content."""
    return Response(desk.figures.exposition(), headers={"Content-Type": MEDIA_TYPE})
