"""Commands that only a memory makes possible: what changed between two documents, and where a question looks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmt_ui import memory_printing
from hmt_ui.compose import open_with
from hmt_ui.options import Home, Json, Model

Named = Annotated[str, typer.Argument(help="A document's id or path.")]
One = Annotated[str, typer.Option("--document", "-d", metavar="ID", help="The document to look at.")]
Png = Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Draw it as a picture as well.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(diff)
    app.command()(heat)


def diff(old: Named, new: Named, *, home: Home = None, model: Model = None, as_json: Json = False) -> None:
    """Name the pages that changed in meaning between two documents, the furthest first."""
    with open_with(home=home, model=model) as qa:
        memory_printing.changes(qa.compare(old, new), as_json=as_json)


def heat(
    question: str, *, document: One, png: Png = None, home: Home = None, model: Model = None, as_json: Json = False
) -> None:
    """Show how much a question attends to each page of a document."""
    with open_with(home=home, model=model) as qa:
        weights = qa.heat(question, document=document)
        title = qa.document(document).title
    if png is not None:
        from hmt_ui.heat_picture import draw

        draw(weights, png, question=question, title=title)
    memory_printing.heat(weights, as_json=as_json)
