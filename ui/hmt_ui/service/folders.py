"""REST: a folder or a zipped repository, taken whole and read as the tree it is."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData, UploadFile

from hmt_ingest.trees import Order, Tree, tree
from hmt_ingest.unpacking import MOST_FILES, Unfit, inside
from hmt_qa.errors import TooLarge, TreeRefused
from hmt_ui.placing import DEFAULT_COLLECTION, safe_name, shown_name
from hmt_ui.service import schemas
from hmt_ui.service.desk import Desk, TheDesk
from hmt_ui.service.inbox import Accepted
from hmt_ui.service.limits import Limits, check_collection
from hmt_ui.service.problems import documented
from hmt_ui.service.visitor import TheVisitor, Visitor

router = APIRouter(prefix="/folders", tags=["documents"])
UNNAMED = "folder"
ZIP = ".zip"
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "one zip, or every file by itself under its path in the folder",
                        },
                        "collection": {"type": "string", "default": DEFAULT_COLLECTION},
                    },
                }
            }
        },
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An uploaded folder: what its files became, and why others of it were left out."""

    name: str
    files: Sequence[Accepted]
    left_out: Mapping[str, str]


async def _form(request: Request) -> AsyncIterator[FormData]:
    async with request.form(max_files=MOST_FILES, max_fields=10) as form:
        yield form


@router.post("", summary="Upload a folder", status_code=202, responses=documented(413, 422, 429), openapi_extra=_FORM)
async def upload(
    visitor: TheVisitor, desk: TheDesk, form: Annotated[FormData, Depends(_form)]
) -> schemas.UploadedFolder:
    """Take a zipped repository, or a folder file by file, and put in line what `hmt-qa ingest` would read of it.

    Ignore files hold, and files that may hold secrets are left out. A folder of the same name is brought up to date.
    """
    collection = check_collection(str(form.get("collection", DEFAULT_COLLECTION)))
    files = [part for part in form.getlist("file") if isinstance(part, UploadFile)]
    return await asyncio.to_thread(_take, visitor, desk, files, collection)


def take_zip(desk: Desk, archive: Path, *, collection: str) -> Taken:
    """Unpack an uploaded zip and put its files in line; raises `TreeRefused` and `TooManyWaiting`."""
    with tempfile.TemporaryDirectory(prefix="hmt-qa-tree-") as folder:
        found = tree(Order(folder=folder, archive=str(archive)))
        return _line_up(desk, found, name=found.name or archive.stem, collection=collection)


def _take(visitor: Visitor, desk: Desk, files: Sequence[UploadFile], collection: str) -> schemas.UploadedFolder:
    _require_small(files, desk.limits)
    stored = visitor.stored(collection)
    with tempfile.TemporaryDirectory(prefix="hmt-qa-folder-") as arriving:
        if len(files) == 1 and (name := files[0].filename or "").lower().endswith(ZIP):
            archive = Path(arriving) / safe_name(name)
            _keep(files[0], archive)
            taken = take_zip(desk, archive, collection=stored)
        else:
            for file in files:
                _keep(file, _place(file, Path(arriving)))
            found = tree(Order(folder=arriving))
            taken = _line_up(desk, found, name=found.name or UNNAMED, collection=stored)
    return schemas.UploadedFolder(
        name=taken.name,
        collection=collection,
        files=[
            schemas.Uploaded(file=shown_name(str(one.path), desk.inbox.uploads), collection=collection, known=one.known)
            for one in taken.files
        ],
        left_out=dict(taken.left_out),
    )


def _require_small(files: Sequence[UploadFile], limits: Limits) -> None:
    total = sum(file.size or 0 for file in files)
    if total > limits.upload_bytes:
        raise TooLarge(
            f"The files have {total:,} bytes; {limits.upload_mb:,} MB are taken at once.",
            subject=total,
            remedy="Send a part of them, or ingest the folder on the server's machine: hmt-qa ingest FOLDER.",
        )


def _place(file: UploadFile, folder: Path) -> Path:
    try:
        return folder / inside(file.filename or "")
    except Unfit as unfit:
        raise TreeRefused(f"The folder {unfit}.", subject=file.filename, remedy="Send it as a zip.") from unfit


def _keep(file: UploadFile, target: Path) -> None:
    if ".git" in target.parts:
        return  # it says where other files are, and none of it is to be read
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as kept:
            shutil.copyfileobj(file.file, kept)
    except (FileExistsError, NotADirectoryError) as problem:
        raise TreeRefused(f"Two files are called {file.filename}.", subject=file.filename) from problem


def _line_up(desk: Desk, found: Tree, *, name: str, collection: str) -> Taken:
    if not found.files:
        raise TreeRefused(f"{name} holds nothing to read.", subject=name, remedy=reasons(found.left_out))
    try:
        files = desk.inbox.accept_tree(found, name=name, collection=collection)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as problem:
        raise TreeRefused(
            f"{name} has files where the folder of that name here has folders.",
            subject=name,
            remedy="Delete those documents first, or give the folder another name.",
        ) from problem
    for _ in files:
        desk.figures.uploaded()
    return Taken(name=name, files=files, left_out=found.left_out)


def reasons(left_out: Mapping[str, str]) -> str:
    """The first few files that were left out, and why; empty where there are none."""
    return (
        "Left out: " + "; ".join(f"{path} ({why})" for path, why in [*left_out.items()][:5]) + "." if left_out else ""
    )
