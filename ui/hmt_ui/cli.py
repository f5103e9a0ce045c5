"""The command line: parses, calls the facade, prints. The contract of names, flags and JSON keys is in docs/cli.md.

Exit codes: 0 ok · 1 some inputs failed, or one clear error · 2 usage · 130 interrupted (run again to go on).
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hmt_qa.errors import AddressRefused, HmtQaError, UserUnsuited
from hmt_qa.types import ClusterOptions, IngestOptions, Mode, Ranking, Sync
from hmt_ui import care_commands, job_commands, memory_commands, printing, user_commands
from hmt_ui.compose import open_qa, open_with
from hmt_ui.options import (
    Attention,
    Collection,
    Device,
    Documents,
    Dtype,
    Engine,
    EngineKind,
    Home,
    Json,
    Model,
    Password,
    RayAddress,
    Workers,
)

if TYPE_CHECKING:
    from hmt_ui.settings import Settings

USAGE, INTERRUPTED = 2, 130
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}  # their own parsers take the options
BRIEF_SPINNING = ("GOMP_SPINCOUNT", "1000")  # docs/decisions/0007: 13 times faster beside another busy process
UPLOADS = "uploads"  # in the home folder: what the page was given

app = typer.Typer(
    name="hmt-qa",
    help="Ask questions about long documents: read once into memory, answered with page citations.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
config = typer.Typer(help="Look at the configuration.", no_args_is_help=True)
app.add_typer(config, name="config")
job_commands.register(app)
care_commands.register(app)
memory_commands.register(app)
user_commands.register(app)

Reader = Annotated[
    str | None, typer.Option("--reader", help="Who writes: hf:FOLDER, openai:MODEL; the memory's own model by default.")
]
Verify = Annotated[bool, typer.Option("--verify", help="Ask again without the places cited: does it change?")]


@app.callback()
def _before_the_command(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done, to stderr.")] = False,
    database: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A library on a PostgreSQL server: postgresql+psycopg://user@host/name."),
    ] = None,
) -> None:
    from hmt_ui.settings import before_the_command

    before_the_command(database=database)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(message)s"
    )


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders or repositories.")],
    collection: Annotated[str, typer.Option("--collection", "-c", help="Where to put them.")] = "default",
    recursive: Annotated[bool, typer.Option(help="Go into sub-folders.")] = True,
    include: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Only these; repeatable.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Not these; repeatable.")] = None,
    password: Password = None,
    sync: Annotated[
        Sync,
        typer.Option(help="Read new and changed files; or only bytes that are new; or also delete vanished files."),
    ] = Sync.UPSERTS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen to each file; write nothing.")] = (
        False
    ),
    watch: Annotated[bool, typer.Option("--watch", help="Go on with files as they appear and change.")] = False,
    workers: Workers = None,
    engine: Engine = EngineKind.LOCAL,
    ray_address: RayAddress = "",
    home: Home = None,
    model: Model = None,
    device: Device = None,
    dtype: Dtype = None,
    attention: Attention = None,
    as_json: Json = False,
) -> None:
    """Read documents into memory. Killed or interrupted, run it again: it goes on where it stopped."""
    from hmt_ui.ingesting import report

    if watch and dry_run:
        raise typer.BadParameter("--watch goes on for ever: it has no dry run.")
    if ray_address and engine is not EngineKind.RAY:
        raise typer.BadParameter("--ray-address is of --engine ray.")
    if watch and engine is EngineKind.RAY:
        raise typer.BadParameter("--watch reads on this machine: it cannot be spread by --engine ray.")
    options = IngestOptions(
        collection=collection,
        recursive=recursive,
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        password=password,
        limits=_settings(home=home).limits,
        sync=sync,
        dry_run=dry_run,
        watch=watch,
        workers=workers,
    )
    cluster = ClusterOptions(address=ray_address) if engine is EngineKind.RAY else None
    with open_with(home=home, model=model, device=device, dtype=dtype, attention=attention, cluster=cluster) as qa:
        code = report(
            lambda show: qa.ingest(paths, options=options, on_progress=show),
            meter=qa.engine.meter,
            as_json=as_json,
            dry_run=dry_run,
        )
    if code:
        raise typer.Exit(code)


@app.command()
def ask(
    question: str,
    collection: Collection = None,
    document: Documents = None,
    mode: Annotated[Mode, typer.Option(help="evidence re-reads the places recalled; memory uses the memory alone.")] = (
        Mode.EVIDENCE
    ),
    top: Annotated[int, typer.Option(min=1, max=12, help="How many places to recall.")] = 4,
    reader: Reader = None,
    as_of_page: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="As if each document ended with this page.")
    ] = None,
    verify: Verify = False,
    home: Home = None,
    model: Model = None,
    device: Device = None,
    dtype: Dtype = None,
    attention: Attention = None,
    as_json: Json = False,
) -> None:
    """Answer a question, with page citations."""
    with open_with(home=home, model=model, device=device, dtype=dtype, attention=attention, reader=reader) as qa:
        stream = qa.stream(
            question,
            collection=collection,
            documents=document or (),
            mode=mode,
            top=top,
            as_of_page=as_of_page,
            verify=verify,
        )
        printing.answered(stream, as_json=as_json)


@app.command()
def chat(
    question: Annotated[str, typer.Argument(help="Without one, standard input is read line by line.")] = "",
    go_on: Annotated[str | None, typer.Option("--continue", metavar="ID", help="Go on in this one, or `last`.")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List conversations, the latest first.")] = False,
    show_one: Annotated[str | None, typer.Option("--show", metavar="ID", help="Print what was said.")] = None,
    delete: Annotated[str | None, typer.Option("--delete", metavar="ID", help="Delete for good.")] = None,
    collection: Collection = None,
    document: Documents = None,
    mode: Annotated[Mode, typer.Option(help="As for ask.")] = Mode.EVIDENCE,
    top: Annotated[int, typer.Option(min=1, max=12, help="How many places to recall.")] = 4,
    reader: Reader = None,
    verify: Verify = False,
    home: Home = None,
    model: Model = None,
    device: Device = None,
    dtype: Dtype = None,
    attention: Attention = None,
    as_json: Json = False,
) -> None:
    """Ask questions that follow on each other ("and in 2021?"); conversations are kept until they are deleted."""
    from hmt_ui import chatting

    with open_with(home=home, model=model, device=device, dtype=dtype, attention=attention, reader=reader) as qa:
        if show_list:
            printing.conversations(qa.conversations(), as_json=as_json)
        elif show_one:
            printing.turns(qa.turns(chatting.chosen(qa, show_one).id), as_json=as_json)
        elif delete:
            printing.conversation_removed(qa.remove_conversation(delete), as_json=as_json)
        else:
            begun = (
                chatting.chosen(qa, go_on)
                if go_on
                else qa.new_conversation(collection=collection, documents=document or ())
            )
            if not chatting.talk(qa, begun, question, as_json=as_json, mode=mode, top=top, verify=verify):
                raise typer.Exit(1)


@app.command()
def search(
    question: str,
    collection: Collection = None,
    document: Documents = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many places.")] = 10,
    using: Annotated[Ranking, typer.Option(help="Who ranks.")] = Ranking.HYBRID,
    home: Home = None,
    model: Model = None,
    device: Device = None,
    dtype: Dtype = None,
    attention: Attention = None,
    as_json: Json = False,
) -> None:
    """Rank the places that speak of something; no answer is written."""
    with open_with(home=home, model=model, device=device, dtype=dtype, attention=attention) as qa:
        for result in qa.search(question, collection=collection, documents=document or (), top=top, using=using):
            printing.found(result, as_json=as_json)


@app.command("ls")
def list_documents(collection: Collection = None, home: Home = None, as_json: Json = False) -> None:
    """List the documents of the library."""
    with open_with(home=home) as qa:
        printing.documents(qa.documents(collection=collection), as_json=as_json)


@app.command()
def show(document: Annotated[str, typer.Argument(metavar="ID")], home: Home = None, as_json: Json = False) -> None:
    """Show one document: where it came from, how long it is, which model read it."""
    with open_with(home=home) as qa:
        printing.document(qa.document(document), as_json=as_json)


@app.command("rm")
def remove(document: Annotated[str, typer.Argument(metavar="ID")], home: Home = None, as_json: Json = False) -> None:
    """Delete a document: text, memory, index rows and the page's copy of an upload. Your own file stays."""
    from hmt_ui.placing import discard

    settings = _settings(home=home)
    with open_with(home=home) as qa:
        gone = qa.remove(document)
        discard(gone.path, settings.home / UPLOADS)
        printing.removed(gone, as_json=as_json)


@app.command("mv")
def rename(
    document: Annotated[str, typer.Argument(metavar="ID")], title: str, home: Home = None, as_json: Json = False
) -> None:
    """Give a document another title."""
    with open_with(home=home) as qa:
        printing.document(qa.rename(document, title), as_json=as_json)


@app.command()
def doctor(
    home: Home = None,
    model: Model = None,
    device: Device = None,
    dtype: Dtype = None,
    attention: Attention = None,
    as_json: Json = False,
) -> None:
    """Check that everything needed is here and say what is in use."""
    from hmt_ui.doctor import examine

    settings = _settings(home=home, model=model, device=device, dtype=dtype, attention=attention)
    findings = list(examine(settings))
    printing.findings(findings, as_json=as_json)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@config.command("show")
def config_show(home: Home = None, as_json: Json = False) -> None:
    """Print every setting and where its value comes from."""
    from hmt_ui.settings import origins

    settings = _settings(home=home)
    shown = settings.model_dump(mode="json") | ({"database": settings.place} if settings.database else {})
    printing.settings(shown, origins(settings, {"home": home}), as_json=as_json)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind; loopback by default.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to bind.")] = None,
    reader: Reader = None,
    home: Home = None,
    model: Model = None,
    device: Device = None,
    dtype: Dtype = None,
    attention: Attention = None,
) -> None:
    """Open the web page: upload documents, watch them being read, ask."""
    engine = {"model": model, "device": device, "dtype": dtype, "attention": attention}
    settings = _settings(home=home, **engine, reader=reader, host=host, port=port)
    from hmt_ui.service.server import serve as run

    with open_qa(settings) as qa:
        run(
            qa,
            host=settings.host,
            port=settings.port,
            uploads=settings.home / UPLOADS,
            allow_unauthenticated=settings.allow_unauthenticated,
            names=settings.allowed_hosts,
            limits=settings.quotas,
        )


@app.command()
def demo(
    home: Home = None, model: Model = None, device: Device = None, dtype: Dtype = None, attention: Attention = None
) -> None:
    """Run the main job offline: write a long PDF, read it, ask four questions."""
    from hmt_ui.demo import run

    settings = _settings(home=home)
    run(_settings(home=settings.home / "demo", model=model, device=device, dtype=dtype, attention=attention))


@app.command(context_settings=PASSED_ON, add_help_option=False)
def train(context: typer.Context) -> None:
    """Train a stage: base, memory or answers (`hmt-qa train --help` lists the options)."""
    from hmt_qa.training.__main__ import main as run

    run(context.args)


@app.command("eval", context_settings=PASSED_ON, add_help_option=False)
def evaluate(context: typer.Context) -> None:
    """Measure a checkpoint: perplexity, retrieval, answers or confidence (`hmt-qa eval --help` lists the options)."""
    from hmt_qa.evaluation.__main__ import main as run

    raise typer.Exit(run(context.args))


@app.command(context_settings=PASSED_ON, add_help_option=False)
def bench(context: typer.Context) -> None:
    """Measure speed beside this machine's limits: ingest, ask, recall or scale (`hmt-qa bench --help`)."""
    from hmt_qa.bench.__main__ import main as run

    raise typer.Exit(run(context.args))


def main() -> None:
    """Entry point `hmt-qa`: runs a command and turns every error into one line and an exit code."""
    os.environ.setdefault(*BRIEF_SPINNING)  # before torch is imported, which reads it once
    try:
        app()
    except HmtQaError as exc:
        print(f"hmt-qa: {printing.printable(str(exc))}", file=sys.stderr)
        sys.exit(USAGE if isinstance(exc, AddressRefused | UserUnsuited) else 1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _settings(**flags: Any) -> Settings:
    from hmt_ui.settings import load

    return load(**flags)
