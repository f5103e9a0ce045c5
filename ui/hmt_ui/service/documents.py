"""REST: the library's documents, uploads, pages."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Response, UploadFile

from hmt_qa.errors import TooLarge, UnknownPage
from hmt_ui.placing import DEFAULT_COLLECTION, safe_name, shown_name
from hmt_ui.service import schemas
from hmt_ui.service.desk import Desk, TheDesk
from hmt_ui.service.limits import check_collection
from hmt_ui.service.problems import documented
from hmt_ui.service.visitor import Mine, TheVisitor, Visitor

router = APIRouter(prefix="/documents", tags=["documents"])
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "the page as a picture"}}


@router.get("", summary="List documents")
def documents(mine: Mine, desk: TheDesk, collection: str | None = None) -> schemas.Documents:
    """All documents that can be asked, oldest first, or those of one collection."""
    found = mine.documents(collection=collection)
    return schemas.Documents(documents=[schemas.Document.of(document, desk.inbox.uploads) for document in found])


@router.post("", summary="Upload a document", status_code=202, responses=documented(413, 429))
async def upload(
    visitor: TheVisitor, desk: TheDesk, file: UploadFile, collection: Annotated[str, Form()] = DEFAULT_COLLECTION
) -> schemas.Uploaded:
    """Take a file and put it in line to be read; `GET /api/v1/jobs` shows how far it is."""
    return await asyncio.to_thread(_take, visitor, desk, file, check_collection(collection))


@router.get("/{document}", summary="Show a document", responses=documented(404))
def document(mine: Mine, desk: TheDesk, document: str) -> schemas.Document:
    """One document by its id, or by an unambiguous beginning of it."""
    return schemas.Document.of(mine.document(document), desk.inbox.uploads)


@router.patch("/{document}", summary="Rename a document", responses=documented(404))
def rename(mine: Mine, desk: TheDesk, document: str, body: schemas.Title) -> schemas.Document:
    """Give a document another title, which stays when its file is read again."""
    return schemas.Document.of(mine.rename(document, body.title), desk.inbox.uploads)


@router.delete("/{document}", summary="Delete a document", status_code=204, responses=documented(404, 409))
def delete(mine: Mine, desk: TheDesk, document: str) -> Response:
    """Delete its text, memory, index rows and the uploaded copy, for good."""
    desk.inbox.discard(mine.remove(document).path)
    return Response(status_code=204)


@router.get("/{document}/pages/{page}", summary="A page's text", responses=documented(404))
def page_text(mine: Mine, document: str, page: int) -> schemas.PageText:
    """The words of one page, by its position in the file from 1."""
    identity = mine.document(document).id
    pages = mine.pages(identity)
    if not 1 <= page <= len(pages):
        raise UnknownPage(f"There is no page {page}.", subject=page, remedy=f"Pages are 1 to {len(pages)}.")
    span = pages[page - 1]
    return schemas.PageText(
        document=identity,
        page=span.number,
        page_label=span.label,
        char_start=span.char_start,
        char_end=span.char_end,
        text=mine.text(identity, span.char_start, span.char_end),
    )


@router.get(
    "/{document}/pages/{page}/picture",
    summary="A page's picture",
    responses=PNG | documented(404),
    response_class=Response,
)
def page_picture(
    mine: Mine,
    desk: TheDesk,
    *,
    document: str,
    page: int,
    start: Annotated[int, Query(ge=0, le=2**31, description="first character to highlight, in the document")] = 0,
    end: Annotated[int, Query(ge=0, le=2**31, description="after the last one; 0 for no highlight")] = 0,
) -> Response:
    """A page of a PDF as PNG, the words of a citation highlighted."""
    picture = desk.pictures.page(mine, document, page, marked=(start, end))
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, max-age=300"})


def _take(visitor: Visitor, desk: Desk, file: UploadFile, collection: str) -> schemas.Uploaded:
    with tempfile.TemporaryDirectory(prefix="hmt-qa-upload-") as folder:
        arrived = Path(folder) / safe_name(file.filename or "")
        with arrived.open("wb") as kept:
            shutil.copyfileobj(file.file, kept)
        if (size := arrived.stat().st_size) > desk.limits.upload_bytes:
            raise TooLarge(
                f"The file has {size:,} bytes; {desk.limits.upload_mb:,} MB are taken.",
                subject=size,
                remedy="Ingest it on the server's machine: hmt-qa ingest FILE.",
            )
        accepted = desk.inbox.accept(arrived, collection=visitor.stored(collection))
    desk.figures.uploaded()
    name = shown_name(str(accepted.path), desk.inbox.uploads)
    return schemas.Uploaded(file=name, collection=collection, known=accepted.known)
