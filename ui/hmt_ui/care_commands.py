"""Commands that care for the library: give memories away and take them in, look whether all is well, tidy up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmt_ui import care_printing
from hmt_ui.compose import open_with
from hmt_ui.options import Collection, Home, Json, Model

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Documents, unless a collection is named.")]
NewFile = Annotated[Path, typer.Argument(metavar="FILE", help="What to write; it must not be there yet.")]
NoText = Annotated[bool, typer.Option("--no-text", help="Memories only, without the words they were read from.")]
BundleFile = Annotated[Path, typer.Argument(metavar="FILE", help="What `export` wrote, here or anywhere.")]
IntoCollection = Annotated[
    str | None, typer.Option("--collection", "-c", help="Where to put its documents; where they were by default.")
]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(export)
    app.command("import")(import_)
    app.command()(verify)
    app.command()(gc)


def export(
    ids: Ids = None,
    *,
    file: NewFile,
    collection: Collection = None,
    no_text: NoText = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write documents, or a collection, with their memories to one file that `import` takes in elsewhere."""
    if bool(ids) == (collection is not None):
        raise typer.BadParameter("Name documents by their ids, or a collection by --collection: one of the two.")
    with open_with(home=home) as qa:
        written = qa.export(file, collection=collection, documents=ids or (), with_text=not no_text)
    care_printing.exported(written, file, with_text=not no_text, as_json=as_json)


def import_(
    file: BundleFile,
    collection: IntoCollection = None,
    home: Home = None,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Take in what `export` wrote, all or nothing; whoever made it, it is checked and needs no reading again."""
    with open_with(home=home, model=model) as qa:
        for taken in qa.take_in(file, collection=collection):
            care_printing.imported(taken, as_json=as_json)


def verify(home: Home = None, as_json: Json = False) -> None:
    """Look at every stored byte and name the documents that are not as they were stored."""
    sound = True
    with open_with(home=home) as qa:
        for verdict in qa.verify():
            care_printing.verdict(verdict, as_json=as_json)
            sound = sound and verdict.ok
    if not sound:
        raise typer.Exit(1)


def gc(home: Home = None, as_json: Json = False) -> None:
    """Remove what no document and no ingestion refers to, and give its room back to the disk."""
    with open_with(home=home) as qa:
        care_printing.collected(qa.collect_garbage(), as_json=as_json)
